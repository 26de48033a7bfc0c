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
import { chunks } from '../../support/chunks.js';
import { storable } from '../stored-text.js';
import { BatchCalls } from './batch-calls.js';
import { BatchIndex } from './batch-index.js';
import { BatchSweeps } from './batch-sweeps.js';
import { batchProgress, batchRecord } from './batch-text.js';
import type { Keyspace } from './keyspace.js';
import type { Arg, RedisLink } from './link.js';
import { nonce } from '../nonce.js';
import type { Script } from './script.js';
import { batchCancel } from './scripts/batch-cancel.js';
import { batchConfirm } from './scripts/batch-confirm.js';
import { batchCreate } from './scripts/batch-create.js';
import { batchDrop } from './scripts/batch-drop.js';
import { CLOSED } from './scripts/batch-due.js';
import { batchEnd } from './scripts/batch-end.js';
import { batchFind } from './scripts/batch-find.js';
import { batchGrow } from './scripts/batch-grow.js';
import { batchSeal } from './scripts/batch-seal.js';

/** Members added by one script: a few ms. */
const MEMBERS = 2_000;

/** The ledger of batches: each in a slot of its own, with its members as the gate. Which there are says an index. */
export class RedisBatches implements BatchStore {
  readonly #calls: BatchCalls;
  readonly #index: BatchIndex;
  readonly #sweeps: BatchSweeps;

  constructor(link: RedisLink, keys: Keyspace) {
    this.#calls = new BatchCalls(link, keys);
    this.#index = new BatchIndex(link, keys);
    this.#sweeps = new BatchSweeps(this.#calls, this.#index);
  }

  async create(batch: NewBatch): Promise<BatchRecord> {
    const { id } = batch;
    const [first = [], ...others] = chunks(batch.memberIds, MEMBERS);
    // Sealed once all members are there: what a crash leaves half-way has not finished.
    const sealed = batch.sealed && others.length === 0;
    const texts = [nonce(), storable(batch.name), storable(batch.options)];
    const flags = [Number(sealed), Number(batch.cancelOnFailure)];
    await this.#index.enter(id);
    const made = (await this.#calls.ask(batchCreate, id, [...texts, ...flags, ...first.map(storable)]))!;
    const record = batchRecord(id, made);
    if (made.flags === 0 || others.length === 0) return record;
    let grown = record;
    for (const some of others) grown = (await this.grow(id, some))?.batch ?? grown;
    return batch.sealed ? ((await this.seal(id))?.batch ?? grown) : grown;
  }

  async find(id: string): Promise<BatchRecord | undefined> {
    const found = await this.#calls.ask(batchFind, id);
    return found && batchRecord(id, found);
  }

  async page({ limit, before }: { readonly limit: number; readonly before?: string }): Promise<readonly BatchRecord[]> {
    const records: BatchRecord[] = [];
    for (let from = before; records.length < limit;) {
      const ids = await this.#index.newest(limit - records.length, from);
      records.push(...(await this.#calls.read(ids)).map(([id, answer]) => batchRecord(id, answer)));
      from = ids.at(-1);
      if (from === undefined) break;
    }
    return records;
  }

  members(
    id: string,
    { limit, after }: { readonly limit: number; readonly after?: string },
  ): Promise<MemberPage | undefined> {
    return this.#calls.members(id, limit, after);
  }

  async grow(id: string, memberIds: readonly string[], by?: string): Promise<BatchGrowth | undefined> {
    const within = by === undefined ? [0, ''] : [1, storable(by)];
    for (const some of memberIds.length === 0 ? [[]] : chunks(memberIds, MEMBERS)) {
      const answer = await this.#calls.ask(batchGrow, id, [...within, ...some.map(storable)]);
      if (answer === undefined) return undefined;
      if (answer.flags === 0) return { grown: false, reason: 'finished', batch: batchRecord(id, answer) };
    }
    const batch = await this.find(id);
    return batch && { grown: true, batch };
  }

  seal(id: string): Promise<BatchProgress | undefined> {
    return this.#progress(batchSeal, id);
  }

  recordEnd(batchId: string, end: Omit<MemberEnd, 'batchId'>): Promise<BatchProgress | undefined> {
    return this.#progress(batchEnd, batchId, [
      storable(end.jobId),
      end.outcome,
      ...(end.alsoEnded ?? []).map(storable),
    ]);
  }

  async confirm(id: string, callbacks: readonly BatchCallback[]): Promise<void> {
    const left = await this.#calls.tell(batchConfirm, id, callbacks);
    if (left === CLOSED) await this.#index.close([id]);
  }

  unconfirmed(dueBefore: number, limit: number): Promise<readonly BatchProgress[]> {
    return this.#sweeps.unconfirmed(dueBefore, limit);
  }

  async cancel(id: string): Promise<BatchRecord | undefined> {
    const answer = await this.#calls.ask(batchCancel, id);
    return answer && batchRecord(id, answer);
  }

  async delete(id: string): Promise<boolean> {
    const gone = await this.#calls.tell(batchDrop, id, ['any']);
    await this.#index.strike([id]);
    return gone === 1;
  }

  async prune(
    before: { readonly finished: number } | { readonly unfinished: number } | { readonly cancelled: number },
  ): Promise<number> {
    const [[kind, moment]] = Object.entries(before) as [[string, number]];
    return this.#sweeps.prune(kind, moment);
  }

  async #progress(script: Script, id: string, args: readonly Arg[] = []): Promise<BatchProgress | undefined> {
    const answer = await this.#calls.ask(script, id, args);
    return answer && batchProgress(id, answer);
  }
}
