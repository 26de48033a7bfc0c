import { describe, InvalidOptionError } from '../support/queue-error.js';

/** What travels with a job of the request, or other context, that dispatched it. */
export type ContextValues = Readonly<Record<string, string>>;

/** The module's `context` option. */
export interface RequestContextOption {
  /** Called once for each dispatch, and once for a bulk: the values that its jobs carry. Texts only. */
  carry: () => Record<string, string>;
  /** Called once for each attempt of a job that carries values. Has to call `run` and to wait for it. */
  restore: (values: Record<string, string>, run: () => Promise<void>) => Promise<void>;
}

/** @throws InvalidOptionError where it is not two functions */
export function checkContextOption(context: unknown): void {
  if (context === undefined) return;
  if (typeof context === 'object' && context !== null) {
    const { carry, restore } = context as Record<string, unknown>;
    if (typeof carry === 'function' && typeof restore === 'function') return;
  }
  throw new InvalidOptionError(
    'QueueModule: context needs two functions: { carry: () => ({ … }), restore: (values, run) => … }.',
  );
}

const nothing = (): undefined => undefined;

/** Gives, at each call, what jobs that are dispatched then are to carry. */
export function carrying(context: RequestContextOption | undefined): () => ContextValues | undefined {
  return context ? () => carriedValues(context.carry) : nothing;
}

/**
 * What `carry()` gives now; `undefined` where that is nothing.
 *
 * @throws InvalidOptionError for anything but an object of texts; what `carry()` throws
 */
export function carriedValues(carry: RequestContextOption['carry']): ContextValues | undefined {
  const given: unknown = carry();
  const proto: unknown = typeof given === 'object' && given !== null ? Object.getPrototypeOf(given) : undefined;
  if (proto !== Object.prototype && proto !== null) {
    throw new InvalidOptionError(
      `context.carry() returned ${describe(given)}. Return an object of texts, {} where there is nothing to carry.`,
    );
  }
  const entries = Object.entries(given as Record<string, unknown>);
  for (const [key, value] of entries) {
    if (key === '__proto__')
      throw new InvalidOptionError('context.carry() returned an own __proto__ key. Give it another name.');
    if (typeof value === 'string') continue;
    throw new InvalidOptionError(
      `context.carry() returned ${describe(value)} as ${key}. Give a text, or leave the key out.`,
    );
  }
  return entries.length > 0 ? (Object.fromEntries(entries) as ContextValues) : undefined;
}
