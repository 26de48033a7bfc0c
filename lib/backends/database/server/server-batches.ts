import type {
  BatchCallback,
  BatchGrowth,
  BatchProgress,
  BatchRecord,
  BatchStore,
  MemberEnd,
  MemberPage,
  NewBatch,
} from '../../../contracts/batch-store.js';
import { chunks } from '../../../support/chunks.js';
import { batchProgress, batchRecord, cancel, conclude, memberPage, type BatchRow } from '../batch-ledger.js';
import type { BatchRows, TimedBatch } from './batch-rows.js';
import type { Link } from './link.js';
import type { SideStore } from './side-store.js';

/** Members stored, or batches removed, in one transaction. */
const MEMBERS = 4_096;
const BATCHES = 64;

export class ServerBatches implements BatchStore {
  constructor(
    private readonly side: SideStore,
    private readonly rows: BatchRows,
  ) {}

  async create(batch: NewBatch): Promise<BatchRecord> {
    const [first = [], ...others] = chunks(batch.memberIds, MEMBERS);
    const sealed = batch.sealed && others.length === 0;
    const { record, made } = await this.side.write(async (link) => {
      for (;;) {
        const fresh = await this.rows.insert(link, { ...batch, sealed });
        if (fresh) return { record: await this.#fill(link, fresh, first), made: true };
        const there = await this.rows.lock(link, batch.id);
        if (there) return { record: await this.#record(link, there.row), made: false };
        // It was there, and was deleted before it could be read.
      }
    });
    if (!made || others.length === 0) return record;
    let grown = record;
    for (const some of others) grown = (await this.grow(batch.id, some))?.batch ?? grown;
    return batch.sealed ? ((await this.seal(batch.id))?.batch ?? grown) : grown;
  }

  find(id: string): Promise<BatchRecord | undefined> {
    return this.side.read(async (link) => {
      const row = await this.rows.find(link, id);
      return row && this.#record(link, row);
    });
  }

  page(query: { readonly limit: number; readonly before?: string }): Promise<readonly BatchRecord[]> {
    return this.side.read(async (link) => {
      const records: BatchRecord[] = [];
      for (const row of await this.rows.page(link, query.limit, query.before)) {
        records.push(await this.#record(link, row));
      }
      return records;
    });
  }

  members(
    id: string,
    { limit, after }: { readonly limit: number; readonly after?: string },
  ): Promise<MemberPage | undefined> {
    return this.side.read(async (link) => {
      const row = await this.rows.find(link, id);
      return row && memberPage(await this.rows.members.page(link, row.seq, limit + 1, after), limit);
    });
  }

  async grow(id: string, memberIds: readonly string[], by?: string): Promise<BatchGrowth | undefined> {
    let growth: BatchGrowth | undefined;
    for (const some of memberIds.length === 0 ? [[]] : chunks(memberIds, MEMBERS)) {
      growth = await this.#change(id, (link, found) => this.#growOnce(link, found, some, by));
      if (!growth?.grown) break;
    }
    return growth;
  }

  seal(id: string): Promise<BatchProgress | undefined> {
    return this.#change(id, async (link, { row, now }) => {
      row.sealed = true;
      const finished = conclude(row, now);
      await this.rows.save(link, row);
      return batchProgress(row, await this.rows.failedIds(link, row), { finished });
    });
  }

  recordEnd(batchId: string, end: Omit<MemberEnd, 'batchId'>): Promise<BatchProgress | undefined> {
    return this.side.write((link) => this.rows.recordEnd(link, batchId, end));
  }

  async confirm(id: string, callbacks: readonly BatchCallback[]): Promise<void> {
    await this.#change(id, async (link, { row }) => {
      row.confirmed = new Set([...row.confirmed, ...callbacks]);
      await this.rows.save(link, row);
    });
  }

  unconfirmed(dueBefore: number, limit: number): Promise<readonly BatchProgress[]> {
    return this.side.read(async (link) => {
      const found: BatchProgress[] = [];
      for (const row of await this.rows.unconfirmed(link, dueBefore, limit)) {
        found.push(batchProgress(row, await this.rows.failedIds(link, row)));
      }
      return found;
    });
  }

  cancel(id: string): Promise<BatchRecord | undefined> {
    return this.#change(id, async (link, { row, now }) => {
      if (cancel(row, now)) await this.rows.save(link, row);
      return this.#record(link, row);
    });
  }

  async delete(id: string): Promise<boolean> {
    const gone = await this.#change(id, async (link, { row }) => {
      await this.rows.delete(link, [row.seq]);
      return true;
    });
    return gone ?? false;
  }

  async prune(
    before: { readonly finished: number } | { readonly unfinished: number } | { readonly cancelled: number },
  ): Promise<number> {
    for (let gone = 0; ;) {
      const count = await this.side.write(async (link) => {
        const found = await this.rows.prunable(link, before, BATCHES);
        await this.rows.delete(link, found);
        return found.length;
      });
      gone += count;
      if (count < BATCHES) return gone;
    }
  }

  /** One transaction over a batch that nobody else changes meanwhile; `undefined` when there is none of this id. */
  #change<T>(id: string, work: (link: Link, found: TimedBatch) => Promise<T>): Promise<T | undefined> {
    return this.side.write(async (link) => {
      const found = await this.rows.lock(link, id);
      return found && work(link, found);
    });
  }

  async #growOnce(
    link: Link,
    found: TimedBatch,
    memberIds: readonly string[],
    by: string | undefined,
  ): Promise<BatchGrowth> {
    const { row } = found;
    if (row.finishedAt !== undefined) {
      const member = by === undefined ? undefined : await this.rows.members.state(link, row.seq, by);
      const fromWithin = member !== undefined && member.state === undefined;
      if (!fromWithin) return { grown: false, reason: 'finished', batch: await this.#record(link, row) };
    }
    return { grown: true, batch: await this.#fill(link, found, memberIds) };
  }

  async #fill(link: Link, { row, now }: TimedBatch, memberIds: readonly string[]): Promise<BatchRecord> {
    const added = await this.rows.members.add(link, row.seq, memberIds);
    row.total += added;
    row.pending += added;
    conclude(row, now);
    await this.rows.save(link, row);
    return this.#record(link, row);
  }

  async #record(link: Link, row: BatchRow): Promise<BatchRecord> {
    return batchRecord(row, await this.rows.failedIds(link, row));
  }
}
