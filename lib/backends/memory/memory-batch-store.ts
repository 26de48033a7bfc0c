import type {
  BatchCallback,
  BatchGrowth,
  BatchProgress,
  BatchRecord,
  BatchStore,
  MemberEnd,
  MemberPage,
  NewBatch,
} from '../../contracts/batch-store.js';
import type { Clock } from '../../support/clock.js';
import { MemoryBatch } from './memory-batch.js';

/** The ledger of batches in this process. */
export class MemoryBatchStore implements BatchStore {
  /** Oldest first. */
  readonly #batches = new Map<string, MemoryBatch>();

  constructor(private readonly clock: Clock) {}

  /** Records an end without a promise: for the driver, which does it in its own write. */
  end(batchId: string, end: Omit<MemberEnd, 'batchId'>): BatchProgress | undefined {
    return this.#batches.get(batchId)?.end(end, this.clock.now());
  }

  async create(made: NewBatch): Promise<BatchRecord> {
    let batch = this.#batches.get(made.id);
    if (batch === undefined) this.#batches.set(made.id, (batch = new MemoryBatch(made, this.clock.now())));
    return batch.record();
  }

  async find(id: string): Promise<BatchRecord | undefined> {
    return this.#batches.get(id)?.record();
  }

  async page({ limit, before }: { limit: number; before?: string }): Promise<readonly BatchRecord[]> {
    const ids = [...this.#batches.keys()];
    const end = before === undefined ? ids.length : Math.max(0, ids.indexOf(before));
    const page = ids.slice(Math.max(0, end - limit), end).reverse();
    return page.map((id) => this.#batches.get(id)!.record());
  }

  async members(id: string, query: { limit: number; after?: string }): Promise<MemberPage | undefined> {
    return this.#batches.get(id)?.members(query);
  }

  async grow(id: string, memberIds: readonly string[], by?: string): Promise<BatchGrowth | undefined> {
    const batch = this.#batches.get(id);
    if (!batch) return undefined;
    const grown = batch.grow(memberIds, by);
    return grown ? { grown, batch: batch.record() } : { grown, reason: 'finished', batch: batch.record() };
  }

  async seal(id: string): Promise<BatchProgress | undefined> {
    return this.#batches.get(id)?.seal(this.clock.now());
  }

  async recordEnd(batchId: string, end: Omit<MemberEnd, 'batchId'>): Promise<BatchProgress | undefined> {
    return this.end(batchId, end);
  }

  async confirm(id: string, callbacks: readonly BatchCallback[]): Promise<void> {
    this.#batches.get(id)?.confirm(callbacks);
  }

  async unconfirmed(dueBefore: number, limit: number): Promise<readonly BatchProgress[]> {
    const found: BatchProgress[] = [];
    for (const batch of this.#batches.values()) {
      if (found.length >= limit) break;
      const since = batch.unconfirmedSince;
      if (since !== undefined && since < dueBefore) found.push(batch.progress({}));
    }
    return found;
  }

  async cancel(id: string): Promise<BatchRecord | undefined> {
    const batch = this.#batches.get(id);
    batch?.cancel(this.clock.now());
    return batch?.record();
  }

  async delete(id: string): Promise<boolean> {
    return this.#batches.delete(id);
  }

  async prune(before: { finished?: number; unfinished?: number; cancelled?: number }): Promise<number> {
    let pruned = 0;
    for (const [id, { createdAt, cancelledAt, finishedAt }] of this.#batches) {
      const unfinishedAt = cancelledAt === undefined && finishedAt === undefined ? createdAt : undefined;
      const gone =
        isBefore(finishedAt, before.finished) ||
        isBefore(unfinishedAt, before.unfinished) ||
        isBefore(cancelledAt === undefined ? undefined : createdAt, before.cancelled);
      if (gone && this.#batches.delete(id)) pruned++;
    }
    return pruned;
  }
}

function isBefore(moment: number | undefined, before: number | undefined): boolean {
  return moment !== undefined && before !== undefined && moment < before;
}
