import { BatchMissingError } from '../bus/batch-filler.js';
import type { BatchStore } from '../contracts/batch-store.js';
import { namedUuid } from '../support/named-uuid.js';
import { retryEach, type RetryProgress, type RetryServices } from './retry-failed.js';

/**
 * Sends every failed member of a batch again. A member that is a batch itself has no record of its own: its failed members are sent.
 *
 * @returns how many were sent; those whose record is gone are none of them
 * @throws BatchMissingError where there is no such batch; RetryIncompleteError when some could not be sent, the first one's own error when
 *   none could
 */
export async function retryBatch(services: RetryServices, id: string, onProgress?: RetryProgress): Promise<number> {
  const batches = await services.connections.batches();
  const ids = await failedMembers(batches, id);
  if (!ids) throw new BatchMissingError(id);
  return retryEach(services, ids, onProgress);
}

/** Those of the batches inside with it. `undefined` where there is no such batch. */
async function failedMembers(batches: BatchStore, id: string): Promise<readonly string[] | undefined> {
  const batch = await batches.find(id);
  if (!batch) return undefined;
  const ids: string[] = [];
  for (const one of batch.failedJobIds) {
    const inside = await failedMembers(batches, innerBatchId(one));
    ids.push(...(inside ?? [one]));
  }
  return ids;
}

/** The batch that a member stands for, where it stands for one. */
export function innerBatchId(memberId: string): string {
  return namedUuid(memberId, 'batch');
}
