import type { BatchCallback, BatchProgress } from '../../contracts/batch-store.js';
import type { Settlement } from '../../contracts/queue-driver.js';
import type { BatchCalls } from './batch-calls.js';
import { batchProgress } from './batch-text.js';
import type { Patience } from './link.js';

/** What `note_member` adds to the flags of an end for each callback that is due by then. */
const DUE: ReadonlyMap<BatchCallback, number> = new Map([
  ['then', 16],
  ['catch', 32],
  ['finally', 64],
]);

/** For an end whose answer was lost: what is due by now, whoever made it so. */
export const ASK_WHAT_IS_DUE = 16 + 32 + 64;

/** Whether an event is raised for it, or a callback is due. */
export function isOfConsequence({ started, finished, cancelled, due }: BatchProgress): boolean {
  return started || finished || cancelled || due.length > 0;
}

/**
 * What the ends of members did to their batches, by the place of their settlements. A batch is read once, however many of its members are
 * told of. Never rejects: where the batch cannot be read now, what is due is found by a sweep.
 *
 * @param flags of each member's end, by its place
 */
export async function toldMembers(
  calls: BatchCalls,
  settlements: readonly Settlement[],
  flags: ReadonlyMap<number, number>,
  patience: Patience,
): Promise<ReadonlyMap<number, BatchProgress>> {
  const told = new Map<number, BatchProgress>();
  const batchOf = (place: number): string => settlements[place]!.effects!.member!.batchId;
  const ids = new Set([...flags.keys()].map(batchOf));
  const read = await calls.read([...ids], patience).catch(() => []);
  const answers = new Map(read);
  for (const [place, sum] of flags) {
    const answer = answers.get(batchOf(place));
    if (answer === undefined) continue;
    const progress = batchProgress(batchOf(place), { ...answer, flags: sum });
    // What came due by a later end is told with that one.
    const own = { ...progress, due: progress.due.filter((callback) => (sum & DUE.get(callback)!) > 0) };
    if (isOfConsequence(own)) told.set(place, own);
  }
  return told;
}
