import type { JobState, StoredJob } from '../../../contracts/queue-driver.js';
import { atomically, type Cell, type Link, type Statement } from '../server/link.js';
import { idKey, idOf, readable, storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { LocksOfJobs } from './locks-of-jobs.js';
import { statementOf } from '../server/flavour.js';
import { mysqlFlavour, NOW } from './mysql-flavour.js';
import { CLAIM_INDEX } from './schema.js';
import type { SettleRows } from './settle.js';

type Found = [
  seq: Cell,
  id: string,
  idName: string | null,
  queue: string,
  body: string,
  place: Cell,
  attempts: Cell,
  stalls: Cell,
  availableAt: Cell,
  leasedUntil: Cell,
  now: Cell,
];

interface Page {
  readonly jobs: readonly StoredJob[];
  readonly next?: string;
}

/** Shows jobs, and removes one. */
export class InspectRows {
  readonly #level: Statement;
  readonly #pending: Statement;
  readonly #delayed: Statement;
  readonly #reserved: Statement;
  readonly #find: Statement;
  readonly #nextQueue: Statement;
  readonly #lock: Statement;
  readonly #delete: Statement;
  readonly #locks: LocksOfJobs;

  constructor(
    tables: Tables,
    private readonly settles: SettleRows,
  ) {
    const { jobs } = tables.quoted;
    const columns = `SELECT seq, id, id_name, queue, body, place, attempts, stalls, available_at, leased_until, ${NOW} FROM ${jobs}`;
    const index = `FORCE INDEX (${CLAIM_INDEX})`;
    // Written as a range and what is left out of it: both servers find the beginning of that in the index.
    const behind = (column: string): string => `${column} >= ? AND (${column} > ? OR seq > ?)`;
    const free = (due: string): Statement =>
      statementOf(
        `${columns} ${index} WHERE queue = ? AND leased_until = 0 AND place = ? AND available_at ${due} ${NOW}
          AND ${behind('available_at')} ORDER BY available_at, seq LIMIT ?`,
      );
    this.#locks = new LocksOfJobs(tables);
    this.#level = statementOf(
      `SELECT place FROM ${jobs} ${index} WHERE queue = ? AND leased_until = 0 AND place >= ? ORDER BY place LIMIT 1`,
    );
    this.#pending = free('<=');
    this.#delayed = free('>');
    // Few jobs are reserved at a time: they are sorted.
    this.#reserved = statementOf(
      `${columns} ${index} WHERE queue = ? AND leased_until > 0 AND ${behind('leased_until')} ORDER BY leased_until, seq LIMIT ?`,
    );
    this.#find = statementOf(`${columns} WHERE id = ?`);
    this.#nextQueue = statementOf(`SELECT queue FROM ${jobs} ${index} WHERE queue > ? ORDER BY queue LIMIT 1`);
    this.#lock = statementOf(`SELECT seq, token, lock_key, lock_owner FROM ${jobs} WHERE id = ? FOR UPDATE`);
    this.#delete = statementOf(`DELETE FROM ${jobs} WHERE seq = ?`);
  }

  async page(
    link: Link,
    queue: string,
    state: JobState,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page> {
    const cursor = options.cursor?.split('.').map((part) => Number(part) || 0);
    const name = storable(queue);
    const rows =
      state === 'reserved'
        ? await this.#reservedRows(link, name, cursor, options.limit + 1)
        : await this.#freeRows(
            link,
            name,
            state === 'pending' ? this.#pending : this.#delayed,
            cursor,
            options.limit + 1,
          );
    const page = rows.slice(0, options.limit);
    const last = page.at(-1);
    const next = last && [last[5], Number(last[9]) > 0 ? last[9] : last[8], last[0]].join('.');
    return { jobs: page.map(storedJob), ...(rows.length > page.length && next ? { next } : {}) };
  }

  async find(link: Link, id: string): Promise<StoredJob | undefined> {
    const { rows } = await link.query<Found>(this.#find, [idKey(id).key]);
    return rows[0] && storedJob(rows[0]);
  }

  remove(link: Link, id: string): Promise<boolean> {
    return atomically(link, mysqlFlavour.begin, async () => {
      const { rows } = await link.query<[number, string | null, string | null, string | null]>(this.#lock, [
        idKey(id).key,
      ]);
      if (!rows[0]) return false;
      const [seq, token, key, owner] = rows[0];
      await link.query(this.#delete, [seq]);
      if (token !== null) await this.settles.cancel(link, token);
      await this.#locks.release(link, [[key, owner]]);
      return true;
    });
  }

  /** From name to name along the claim index: as many steps as there are queues. */
  async queues(link: Link): Promise<readonly string[]> {
    const names: string[] = [];
    for (let at = ''; ;) {
      const { rows } = await link.query<[string]>(this.#nextQueue, [at]);
      if (!rows[0]) return names.map(readable);
      names.push((at = rows[0][0]));
    }
  }

  /** Priority by priority, as a claim goes: what is delayed is not walked over to find what is pending. */
  async #freeRows(
    link: Link,
    queue: string,
    statement: Statement,
    cursor: readonly number[] | undefined,
    limit: number,
  ): Promise<readonly Found[]> {
    const found: Found[] = [];
    let [from = -Number.MAX_SAFE_INTEGER, afterTime = -1, afterSeq = -1] = cursor ?? [];
    while (found.length < limit) {
      const level = await link.query<[number]>(this.#level, [queue, from]);
      if (!level.rows[0]) break;
      const place = Number(level.rows[0][0]);
      if (place !== from) afterTime = afterSeq = -1;
      const behind = [afterTime, afterTime, afterSeq];
      found.push(...(await link.query<Found>(statement, [queue, place, ...behind, limit - found.length])).rows);
      from = place + 1;
      afterTime = afterSeq = -1;
    }
    return found;
  }

  async #reservedRows(
    link: Link,
    queue: string,
    cursor: readonly number[] | undefined,
    limit: number,
  ): Promise<readonly Found[]> {
    const [, afterTime = -1, afterSeq = -1] = cursor ?? [];
    return (await link.query<Found>(this.#reserved, [queue, afterTime, afterTime, afterSeq, limit])).rows;
  }
}

function storedJob(found: Found): StoredJob {
  const [, id, idName, queue, body] = found;
  const [place, attempts, stalls, availableAt, leasedUntil, now] = found.slice(5).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const state: JobState = leasedUntil > 0 ? 'reserved' : availableAt <= now ? 'pending' : 'delayed';
  const job: StoredJob = {
    id: idOf(id, idName),
    queue: readable(queue),
    body: readable(body),
    priority: 0 - place,
    attempts,
    stalls,
    state,
    availableAt,
  };
  return leasedUntil > 0 ? { ...job, leasedUntil } : job;
}
