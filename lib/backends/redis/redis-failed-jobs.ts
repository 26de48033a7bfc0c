import type { FailedJob, FailedJobQuery, FailedJobStore } from '../../contracts/failed-job-store.js';
import { chunks } from '../../support/chunks.js';
import { storable } from '../stored-text.js';
import { cursorOf, failedPlaces, newestFirst, readPlace } from './failed-place.js';
import { failedJobOf, failedLabel, failedRecord, readLabel, type FailedRecord } from './failed-text.js';
import type { Keyspace } from './keyspace.js';
import type { Order, RedisLink, Reply } from './link.js';
import { failedForget } from './scripts/failed-forget.js';
import { failedKeep } from './scripts/failed-keep.js';
import { failedPage } from './scripts/failed-page.js';
import { failedPrune } from './scripts/failed-prune.js';
import { STORE_PATIENCE } from './store-patience.js';

/** In one script: ids; records, and characters of their texts, each of which may take three bytes. */
const IDS = 500;
const RECORDS = 250;
const CHARACTERS = 1_000_000;

/** Failed jobs, all in one slot. What is counted or passed over is never read: each connection and queue has an order of its own. */
export class RedisFailedJobs implements FailedJobStore {
  readonly #base: string;

  constructor(
    private readonly link: RedisLink,
    keys: Keyspace,
  ) {
    this.#base = keys.own('failed');
  }

  async record(failures: readonly FailedJob[]): Promise<void> {
    const records = failures.map(failedRecord);
    for (const some of groupsOf(records)) {
      const args = some.flatMap(({ id, record, failedAt }) => [id, record, failedAt]);
      await this.link.run(failedKeep, [this.#base], args, STORE_PATIENCE);
    }
  }

  async find(id: string): Promise<FailedJob | undefined> {
    return (await this.#read([storable(id)]))[0];
  }

  async page(
    query: FailedJobQuery & { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly jobs: readonly FailedJob[]; readonly next?: string }> {
    const limit = Math.max(0, Math.floor(query.limit));
    const from = query.cursor === undefined ? ['', ''] : readPlace(query.cursor);
    const labels = isFiltered(query) ? await this.#labels(query) : [''];
    const orders = labels.map((label): Order => ({
      script: failedPage,
      keys: [this.#base],
      args: [label, limit + 1, ...from],
    }));
    const places = (await this.#all(orders)).flatMap((reply) => failedPlaces(reply as readonly string[]));
    places.sort(newestFirst);
    const page = places.slice(0, limit);
    const last = page.at(-1);
    return {
      jobs: await this.#read(page.map(({ id }) => id)),
      ...(last && places.length > limit ? { next: cursorOf(last) } : {}),
    };
  }

  async count(query: FailedJobQuery = {}): Promise<number> {
    const orders = isFiltered(query)
      ? (await this.#labels(query)).map((label) => `${this.#base}:order:${label}`)
      : [`${this.#base}:order`];
    const counts = await this.#all(orders.map((key): Order => ({ command: 'ZCARD', args: [key] })));
    return counts.reduce<number>((sum, count) => sum + Number(count), 0);
  }

  async forget(ids: readonly string[], failedAt?: readonly Date[]): Promise<number> {
    const moments = new Map(ids.map((id, at) => [id, failedAt?.[at]!.getTime() ?? '']));
    let gone = 0;
    for (const some of chunks([...moments], IDS)) {
      const args = some.flatMap(([id, moment]) => [storable(id), moment]);
      gone += Number(await this.link.run(failedForget, [this.#base], args, STORE_PATIENCE));
    }
    return gone;
  }

  async prune(failedAt?: Date): Promise<number> {
    const until = failedAt?.getTime() ?? '+inf';
    for (let gone = 0; ;) {
      const found = Number(await this.link.run(failedPrune, [this.#base], [until, RECORDS], STORE_PATIENCE));
      gone += found;
      if (found < RECORDS) return gone;
    }
  }

  async #labels({ connection, queue }: FailedJobQuery): Promise<readonly string[]> {
    if (connection !== undefined && queue !== undefined) return [failedLabel(connection, queue)];
    const labels = (await this.link.send('SMEMBERS', [`${this.#base}:labels`], STORE_PATIENCE)) as readonly string[];
    return labels.filter((label) => {
      const of = readLabel(label);
      return (connection === undefined || of.connection === connection) && (queue === undefined || of.queue === queue);
    });
  }

  /** Those that are still there. @param ids as they are stored */
  async #read(ids: readonly string[]): Promise<readonly FailedJob[]> {
    const jobs: FailedJob[] = [];
    for (const some of chunks(ids, RECORDS)) {
      const records = await this.link.send('HMGET', [`${this.#base}:records`, ...some], STORE_PATIENCE);
      for (const [index, record] of (records as readonly (string | null)[]).entries()) {
        if (record !== null) jobs.push(failedJobOf(some[index]!, record));
      }
    }
    return jobs;
  }

  async #all(orders: readonly Order[]): Promise<readonly Reply[]> {
    const replies: Reply[] = [];
    for (const some of chunks(orders, IDS)) replies.push(...(await this.link.all(some, STORE_PATIENCE)));
    return replies;
  }
}

function isFiltered({ queue, connection }: FailedJobQuery): boolean {
  return queue !== undefined || connection !== undefined;
}

/** As many as one script takes, in order. */
function* groupsOf(records: readonly FailedRecord[]): Generator<readonly FailedRecord[]> {
  let group: FailedRecord[] = [];
  let characters = 0;
  for (const one of records) {
    if (group.length === RECORDS || (group.length > 0 && characters + one.record.length > CHARACTERS)) {
      yield group;
      group = [];
      characters = 0;
    }
    group.push(one);
    characters += one.record.length;
  }
  if (group.length > 0) yield group;
}
