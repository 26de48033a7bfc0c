/** A piece of TypeScript: a name or number, a whole string, template or regular expression, or one mark. Comments are left out. */
export interface Token {
  readonly kind: 'word' | 'string' | 'template' | 'pattern' | 'mark';
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const SPACE = /(?:\s+|\/\/[^\n]*|\/\*[^]*?\*\/)+/y;
const WORD = /[\p{ID_Start}\p{Nd}$_][\p{ID_Continue}$]*/uy;
const STRING = /'(?:\\[^]|[^'\\\n])*'|"(?:\\[^]|[^"\\\n])*"/y;
const PATTERN = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/y;
/** A slash behind one of these begins a regular expression; elsewhere it divides. */
const BEFORE_PATTERN = /^(?:[(,=:[!&|?{};+*%~^<>-]|return|typeof|case|in|of)$/;

/**
 * The tokens of a source text, enough to find brackets and names in it without a compiler: which compiler an application has, and
 * whether that has an API, does not matter then. A text that is broken gives tokens too.
 */
export function tokensOf(source: string): Token[] {
  return scan(source, 0, false).tokens;
}

function scan(source: string, from: number, inTemplate: boolean): { tokens: Token[]; end: number } {
  const tokens: Token[] = [];
  let depth = 0;
  let at = from;
  while (at < source.length) {
    const space = match(SPACE, source, at);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    const token = tokenAt(source, at, tokens.at(-1)?.text);
    if (inTemplate && token.text === '}' && depth-- === 0) break;
    if (inTemplate && token.text === '{') depth += 1;
    tokens.push(token);
    at = token.end;
  }
  return { tokens, end: at };
}

function tokenAt(source: string, start: number, previous: string | undefined): Token {
  const made = (kind: Token['kind'], text: string): Token => ({ kind, text, start, end: start + text.length });
  const word = match(WORD, source, start);
  if (word !== undefined) return made('word', word);
  const string = match(STRING, source, start);
  if (string !== undefined) return made('string', string);
  if (source[start] === '`') return made('template', source.slice(start, templateEnd(source, start)));
  const pattern = previous === undefined || BEFORE_PATTERN.test(previous) ? match(PATTERN, source, start) : undefined;
  return pattern === undefined ? made('mark', source[start]!) : made('pattern', pattern);
}

function templateEnd(source: string, start: number): number {
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '`') return at + 1;
    if (source[at] === '\\') at += 1;
    // Stands on the brace that ends the expression.
    else if (source.startsWith('${', at)) at = scan(source, at + 2, true).end;
  }
  return source.length;
}

function match(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}
