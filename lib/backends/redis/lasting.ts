/** A time that is longer does not fit beside the clock: such a key has no end. */
const LONGEST_MS = 2 ** 52;

/** A time to live as the scripts take it: whole milliseconds, at least one; '' is without end. */
export function lasting(ttlMs: number): number | '' {
  return ttlMs > LONGEST_MS ? '' : Math.max(1, Math.ceil(ttlMs));
}
