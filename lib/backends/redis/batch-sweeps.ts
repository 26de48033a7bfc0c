import type { BatchProgress } from '../../contracts/batch-store.js';
import type { BatchCalls } from './batch-calls.js';
import type { BatchIndex, ListedBatch } from './batch-index.js';
import { batchProgress } from './batch-text.js';
import type { Reply } from './link.js';
import { batchDrop } from './scripts/batch-drop.js';
import { batchDue, CLOSED, GONE } from './scripts/batch-due.js';

/** An entry without a batch is one whose maker is about to make it, or was killed; by then it was. */
const ORPHAN_MS = 3_600_000;

/** What looks through all batches, or all that have something open: in groups, oldest first. */
export class BatchSweeps {
  constructor(
    private readonly calls: BatchCalls,
    private readonly index: BatchIndex,
  ) {}

  async unconfirmed(dueBefore: number, limit: number): Promise<readonly BatchProgress[]> {
    const found: BatchProgress[] = [];
    for await (const listed of this.index.oldest('open')) {
      const since = await this.calls.tellAll(batchDue, idsOf(listed));
      const isDue = (at: number): boolean => Number(since[at]) > 0 && Number(since[at]) < dueBefore;
      const due = listed.filter((_, at) => isDue(at)).slice(0, limit - found.length);
      for (const [id, answer] of await this.calls.read(idsOf(due))) found.push(batchProgress(id, answer));
      await this.#tidy(listed, since);
      if (found.length >= limit) break;
    }
    return found;
  }

  /** @param kind which moment must be before `moment`; none of them is before the batch was made */
  async prune(kind: string, moment: number): Promise<number> {
    let pruned = 0;
    for await (const listed of this.index.oldest('all', moment)) {
      const answers = await this.calls.tellAll(batchDrop, idsOf(listed), [kind, moment]);
      const gone = listed.filter((_, at) => answers[at] === 1);
      pruned += gone.length;
      await this.index.strike(idsOf(gone));
      await this.#tidy(listed, answers);
    }
    return pruned;
  }

  /** Takes out of the index what is over, and what crashes left there. */
  async #tidy(listed: readonly ListedBatch[], states: readonly Reply[]): Promise<void> {
    await this.index.close(idsOf(listed.filter((_, at) => states[at] === CLOSED)));
    const orphans = listed.filter((_, at) => states[at] === GONE);
    if (orphans.length === 0) return;
    const before = (await this.index.now()) - ORPHAN_MS;
    await this.index.strike(idsOf(orphans.filter(({ listedAt }) => listedAt < before)));
  }
}

function idsOf(batches: readonly ListedBatch[]): readonly string[] {
  return batches.map(({ id }) => id);
}
