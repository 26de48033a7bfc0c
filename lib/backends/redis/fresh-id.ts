const VERSION_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** An id made longer ago than this does not say when its job was stored. */
const FRESH_MS = 1_000;

/** What the ids that were made last begin with, up to their version: one is looked at, the others of its millisecond are compared. */
let front = '';
let freshAt = -Infinity;

/**
 * Whether an id was made just now. Its job has been pushed nowhere else, and the moment in the id is that of the push, so neither has to
 * be looked up or kept.
 *
 * @param now epoch ms
 */
export function isFreshId(id: string, now: number): boolean {
  if (Math.abs(now - freshAt) < FRESH_MS && id.length === 36 && id.startsWith(front)) return true;
  const at = momentOfId(id);
  if (at === undefined || Math.abs(now - at) >= FRESH_MS) return false;
  front = id.slice(0, 15);
  freshAt = at;
  return true;
}

/** Epoch ms when a time-ordered id was made; `undefined` where it does not tell. */
export function momentOfId(id: string): number | undefined {
  return VERSION_7.test(id) ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined;
}
