import { createRequire } from 'node:module';
import type { AnyNode, ArrowFunctionExpression, FunctionExpression } from 'acorn';
import { QueueError } from '../support/queue-error.js';
import { freeNames, type FreeName } from './free-names.js';

/** A function cannot travel as its source: it uses something from around it, or is no plain function. Nothing was stored. */
export class ClosureSourceError extends QueueError {
  constructor(
    message: string,
    /** What it uses and does not receive, with lines from 1 and columns from 1 in its own source. */
    readonly names: readonly FreeName[] = [],
  ) {
    super('ERR_QUEUE_CLOSURE_SOURCE', message);
  }
}

/**
 * Names that stand for the same in every Node process. What reaches the process or turns text into code is left out: `process`,
 * `globalThis`, `eval`, `Function`, `WebAssembly`.
 */
const GLOBALS: ReadonlySet<string> = new Set(
  (
    'undefined NaN Infinity Object Array String Number Boolean BigInt Symbol Math JSON Reflect Proxy Date RegExp Intl Map Set WeakMap WeakSet ' +
    'WeakRef FinalizationRegistry Promise Iterator Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError ' +
    'ArrayBuffer SharedArrayBuffer DataView Atomics Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array ' +
    'Float16Array Float32Array Float64Array BigInt64Array BigUint64Array parseInt parseFloat isNaN isFinite encodeURI encodeURIComponent ' +
    'decodeURI decodeURIComponent escape unescape console Buffer URL URLSearchParams setTimeout clearTimeout setInterval clearInterval ' +
    'setImmediate clearImmediate queueMicrotask structuredClone fetch Headers Request Response FormData Blob File AbortController AbortSignal ' +
    'Event EventTarget TextEncoder TextDecoder TextEncoderStream TextDecoderStream ReadableStream WritableStream TransformStream ' +
    'CompressionStream DecompressionStream ByteLengthQueuingStrategy CountQueuingStrategy MessageChannel MessagePort MessageEvent ' +
    'BroadcastChannel CustomEvent WebSocket crypto CryptoKey performance atob btoa DOMException'
  ).split(' '),
);

/** What to write instead, where it is not the usual. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ['this', 'Take what it needs from values, or inject the service'],
  ['arguments', 'Name its parameters'],
  ['eval', 'Text must not become code in a job'],
  ['Function', 'Text must not become code in a job'],
  ['import()', 'Inject a service that has imported it'],
  ['import.meta', 'Pass what it tells in values'],
  ['require', 'Inject a service that has loaded it'],
  ['process', 'Pass what it needs of the environment in values, or inject a service'],
  ['globalThis', 'Name the global itself'],
]);
const USUAL = "Pass it in values, inject it, or make it a @Callable() method and dispatch call(Service, 'method', …)";

const BEFORE = '"use strict";(';
/** Shown of what is wrong. */
const MOST_SHOWN = 3;

/**
 * The source of a function, once it is certain that it means the same elsewhere: it uses its parameters, its own variables and the
 * standard globals alone. This finds mistakes; what keeps others from sending code is the signature.
 *
 * @throws ClosureSourceError naming what it uses, with its place in the function
 */
export function checkedSource(fn: Function, shown: string): string {
  const source = Function.prototype.toString.call(fn);
  const parsed = parse(source, shown);
  if (parsed.generator) {
    throw new ClosureSourceError(`${shown} is a generator function, which nothing would run. Give an async function.`);
  }
  const names = freeNames(parsed)
    .filter(({ name }) => !GLOBALS.has(name))
    .map(({ name, line, column }) => ({ name, line, column: line === 1 ? column - BEFORE.length + 1 : column + 1 }));
  const [first] = names;
  if (!first) return source;
  const places = names.slice(0, MOST_SHOWN).map(({ name, line, column }) => `${name} (line ${line}, column ${column})`);
  const more = names.length > MOST_SHOWN ? ` and ${names.length - MOST_SHOWN} more` : '';
  throw new ClosureSourceError(
    `${shown} uses ${places.join(', ')}${more}, which would not be there where it runs. ${ADVICE.get(first.name) ?? USUAL}.`,
    names,
  );
}

type Acorn = typeof import('acorn');
let acorn: Acorn | undefined;

function parse(source: string, shown: string): ArrowFunctionExpression | FunctionExpression {
  // A bound function has no source either.
  if (/\{\s*\[native code\]\s*\}$/.test(source)) {
    throw new ClosureSourceError(
      `${shown} is a bound or a native function, whose source cannot be read. Give the function itself: async ({ id }) => ….`,
    );
  }
  // Not before the first closure whose source travels: no other application needs a parser.
  acorn ??= createRequire(import.meta.url)('acorn') as Acorn;
  try {
    const node = expression(acorn, `${BEFORE}${source}\n)`);
    if (node.type === 'ArrowFunctionExpression' || node.type === 'FunctionExpression') return node;
    throw new ClosureSourceError(`${shown} is not a plain function. Give one: async ({ id }) => ….`);
  } catch (error) {
    if (error instanceof ClosureSourceError) throw error;
    const why = isMethod(acorn, source)
      ? 'is a method, whose source does not stand alone'
      : `has a source that cannot be read (${(error as Error).message})`;
    throw new ClosureSourceError(`${shown} ${why}. Give a function: async ({ id }) => ….`);
  }
}

/** Read as a module is: where it runs as a script `<!--` would hide the rest of a line from it. */
function expression(parser: Acorn, text: string): AnyNode {
  const { body } = parser.parse(text, { ecmaVersion: 'latest', sourceType: 'module', locations: true });
  const last = body.at(-1)!;
  return last.type === 'ExpressionStatement' ? last.expression : last;
}

function isMethod(parser: Acorn, source: string): boolean {
  // Behind the word function, `function (v) {}` would pass for a method of that name.
  if (/^(async\s+)?function\b/.test(source)) return false;
  try {
    expression(parser, `({${source}})`);
    return true;
  } catch {
    return false;
  }
}
