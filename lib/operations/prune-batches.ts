import type { Batches, PruneBatchesOptions } from '../bus/batches.js';

/** How many batches were deleted, of each kind that was asked for. */
export interface PrunedBatches {
  readonly finished: number;
  readonly unfinished?: number;
  readonly cancelled?: number;
}

/**
 * Deletes what is kept of batches that are over: of finished ones after `hours` (default 24); of others only where it is asked for.
 *
 * @throws InvalidOptionError for hours that cannot be
 */
export async function pruneBatches(batches: Batches, options: PruneBatchesOptions = {}): Promise<PrunedBatches> {
  const { finished, unfinished, cancelled } = await batches.prune(options);
  return {
    finished,
    ...(options.unfinished !== undefined && { unfinished }),
    ...(options.cancelled !== undefined && { cancelled }),
  };
}
