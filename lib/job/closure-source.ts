import type { InlineClosure } from '../contracts/dispatchable.js';
import { SignatureError } from './envelope-signature.js';

/** Sources whose functions are kept. An application has a few; more are made again. */
const MOST_KEPT = 500;

const compiled = new Map<string, InlineClosure>();

/**
 * The function that a source stands for, made once. In strict mode, and without anything of this package around it.
 *
 * This is the one place that turns text into code: whoever calls it has verified the signature before.
 *
 * @throws SignatureError where it is no function
 */
export function compiledSource(source: string): InlineClosure {
  let fn = compiled.get(source);
  if (fn) return fn;
  // oxlint-disable-next-line no-new-func, no-implied-eval, typescript/no-implied-eval -- signed sources only; see above
  const made: unknown = new Function(`"use strict";return (${source}\n);`)();
  if (typeof made !== 'function') throw new SignatureError('A signed closure holds no function. It was not run.');
  fn = made as InlineClosure;
  if (compiled.size >= MOST_KEPT) compiled.delete(compiled.keys().next().value!);
  compiled.set(source, fn);
  return fn;
}
