import { tokensOf, type Token } from './source-tokens.js';

const OPENING = '([{';
const CLOSING = ')]}';

/** The class of the first `@Module({ … })` or `@Module()`; nothing where the decorator is given something else. */
export function moduleClass(source: string): string | undefined {
  const tokens = tokensOf(source);
  const decorator = decoratorIn(tokens);
  if (!decorator) return undefined;
  const name = tokens.find(
    ({ kind }, index) => index > decorator.close + 1 && kind === 'word' && tokens[index - 1]!.text === 'class',
  );
  return name?.text;
}

/**
 * The source with `item` in a list of its `@Module()`, in the style of what is there.
 *
 * @returns the same text where the list has it; `undefined` where there is no list that can be written to, as in `providers: shared`
 */
export function withListed(source: string, list: 'imports' | 'providers', item: string): string | undefined {
  const tokens = tokensOf(source);
  const decorator = decoratorIn(tokens);
  if (!decorator) return undefined;
  const { open, close } = decorator;
  if (tokens[open + 1] === tokens[close]) {
    return spliced(source, tokens[close]!.start, `{${newline(source)}  ${list}: [${item}],${newline(source)}}`);
  }
  const object = { open: open + 1, close: closingOf(tokens, open + 1) };
  const value = valueOf(tokens, object, list);
  if (value === 'absent') return inserted(source, tokens, object, `${list}: [${item}]`);
  if (value === 'unknown') return undefined;
  const inside = tokens.slice(value.open + 1, value.close);
  if (listsAlready(inside, item)) return source;
  return inserted(source, tokens, value, item);
}

/** The source with `import { name } from 'from'` behind its last import, unless it imports that name. */
export function withImport(source: string, name: string, from: string): string {
  const tokens = tokensOf(source);
  let last: { quote: string; end: number; semicolon: boolean } | undefined;
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    if (OPENING.includes(token.text)) depth += 1;
    else if (CLOSING.includes(token.text)) depth -= 1;
    if (depth !== 0 || token.text !== 'import' || '(.'.includes(tokens[index + 1]?.text ?? '(')) continue;
    const specifier = tokens.findIndex(({ kind }, later) => later > index && kind === 'string');
    if (specifier < 0) continue;
    const named = tokens.slice(index, specifier);
    if (named.some(({ kind, text }) => kind === 'word' && text === name)) return source;
    let end = specifier;
    if (tokens[end + 1]?.text === 'with' && tokens[end + 2]?.text === '{') end = closingOf(tokens, end + 2);
    // import path = require('path')
    if (tokens[end + 1]?.text === ')') end += 1;
    const semicolon = tokens[end + 1]?.text === ';';
    last = { quote: tokens[specifier]!.text[0]!, end: tokens[semicolon ? end + 1 : end]!.end, semicolon };
  }
  const { quote, end, semicolon } = last ?? { quote: "'", end: 0, semicolon: true };
  const line = `import { ${name} } from ${quote}${from}${quote}${semicolon ? ';' : ''}`;
  return last ? spliced(source, end, newline(source) + line) : line + newline(source) + source;
}

/** A bracket and the one that closes it, as places in the list of tokens. */
interface Bracket {
  readonly open: number;
  readonly close: number;
}

function decoratorIn(tokens: readonly Token[]): Bracket | undefined {
  for (const [index, { text }] of tokens.entries()) {
    if (text !== '@' || tokens[index + 1]?.text !== 'Module' || tokens[index + 2]?.text !== '(') continue;
    const open = index + 2;
    const close = closingOf(tokens, open);
    const given = tokens[open + 1]?.text;
    if (close > 0 && (given === ')' || given === '{')) return { open, close };
  }
  return undefined;
}

/** -1 where the text ends before. */
function closingOf(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let index = open; index < tokens.length; index++) {
    const { kind, text } = tokens[index]!;
    if (kind !== 'mark') continue;
    if (OPENING.includes(text)) depth += 1;
    else if (CLOSING.includes(text) && --depth === 0) return index;
  }
  return -1;
}

function valueOf(tokens: readonly Token[], object: Bracket, property: string): Bracket | 'absent' | 'unknown' {
  for (let at = object.open + 1; at < object.close;) {
    const name = tokens[at]!;
    let end = at;
    while (end < object.close && tokens[end]!.text !== ',') {
      end = OPENING.includes(tokens[end]!.text) ? closingOf(tokens, end) + 1 : end + 1;
    }
    if (name.kind === 'string' ? name.text.slice(1, -1) === property : name.text === property) {
      const open = at + 2;
      const isList = tokens[at + 1]?.text === ':' && tokens[open]?.text === '[' && closingOf(tokens, open) === end - 1;
      return isList ? { open, close: end - 1 } : 'unknown';
    }
    at = end + 1;
  }
  return 'absent';
}

function listsAlready(inside: readonly Token[], item: string): boolean {
  const [name] = item.split('.', 1);
  let depth = 0;
  return inside.some(({ kind, text }) => {
    if (kind === 'mark') depth += OPENING.includes(text) ? 1 : CLOSING.includes(text) ? -1 : 0;
    return depth === 0 && kind === 'word' && text === name;
  });
}

/** Puts an item behind the last one between two brackets: on a line of its own where the last one has one. */
function inserted(source: string, tokens: readonly Token[], { open, close }: Bracket, item: string): string {
  const last = tokens[close - 1]!;
  const bracket = tokens[close]!;
  if (close === open + 1) {
    // A comment stays where it is.
    const kept = source.slice(tokens[open]!.end, bracket.start).trim() !== '';
    if (kept) return spliced(source, tokens[open]!.end, `${item},${source[tokens[open]!.end] === '/' ? ' ' : ''}`);
    if (bracket.text === ']') return source.slice(0, tokens[open]!.end) + item + source.slice(bracket.start);
    return `${source.slice(0, tokens[open]!.end)}${newline(source)}  ${item},${newline(source)}${source.slice(bracket.start)}`;
  }
  const comma = last.text === ',';
  const lineStart = source.lastIndexOf('\n', bracket.start - 1) + 1;
  if (lineStart <= last.end || source.slice(lineStart, bracket.start).trim() !== '') {
    return spliced(source, last.end, comma ? ` ${item},` : `, ${item}`);
  }
  const first = source.lastIndexOf('\n', tokens[open + 1]!.start) + 1;
  const indent = /^[ \t]*/.exec(source.slice(first))![0];
  const line = `${indent}${item}${comma ? ',' : ''}${newline(source)}`;
  return spliced(spliced(source, lineStart, line), last.end, comma ? '' : ',');
}

function spliced(source: string, at: number, text: string): string {
  return source.slice(0, at) + text + source.slice(at);
}

function newline(source: string): string {
  return source.includes('\r\n') ? '\r\n' : '\n';
}
