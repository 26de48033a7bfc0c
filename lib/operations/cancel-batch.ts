import type { Batches } from '../bus/batches.js';
import type { Batch } from '../contracts/batch.js';

/** Cancels a batch: once in its life. `null` where there is none; else the batch as it stands then. */
export async function cancelBatch(batches: Batches, id: string): Promise<Batch | null> {
  const batch = await batches.find(id);
  if (!batch) return null;
  await batch.cancel();
  return batch.fresh();
}
