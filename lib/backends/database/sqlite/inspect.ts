import type { InspectAbility, JobState, StoredJob } from '../../../contracts/queue-driver.js';
import type { Clock } from '../../../support/clock.js';
import type { Tables } from '../table-names.js';
import type { LockRows } from './locks.js';
import type { Session, Value } from './session.js';
import type { SettleRows } from './settle.js';
import type { Patience, SqliteFile } from './sqlite-file.js';

const COLUMNS = 'seq, id, queue, body, priority, attempts, stalls, available_at, created_at, leased_until';
type Found = [
  seq: number,
  id: string,
  queue: string,
  body: string,
  priority: number,
  attempts: number,
  stalls: number,
  availableAt: number,
  createdAt: number,
  leasedUntil: number | null,
];

type Page = { readonly jobs: readonly StoredJob[]; readonly next?: string };

export class SqliteInspection implements InspectAbility {
  readonly #jobs: string;

  constructor(
    private readonly file: SqliteFile,
    { quoted: t }: Tables,
    private readonly settles: SettleRows,
    private readonly locks: LockRows,
    private readonly clock: Clock,
    private readonly patience: Patience,
  ) {
    this.#jobs = t.jobs;
  }

  page(queue: string, state: JobState, options: { readonly limit: number; readonly cursor?: string }): Promise<Page> {
    const cursor = options.cursor?.split('.').map((part) => Number(part) || 0);
    return this.#read((session) => {
      const now = this.clock.now();
      const rows =
        state === 'reserved'
          ? this.#reserved(session, queue, cursor, options.limit + 1)
          : this.#free(session, queue, state === 'pending', now, cursor, options.limit + 1);
      const page = rows.slice(0, options.limit);
      const last = page.at(-1);
      const next = last && [last[4], last[9] ?? last[7], last[0]].join('.');
      return { jobs: page.map((row) => storedJob(row, now)), ...(rows.length > page.length && next ? { next } : {}) };
    });
  }

  find(id: string): Promise<StoredJob | undefined> {
    return this.#read((session) => {
      const row = session.first<Found>(`SELECT ${COLUMNS} FROM ${this.#jobs} WHERE id = ?`, [id]);
      return row && storedJob(row, this.clock.now());
    });
  }

  remove(id: string): Promise<boolean> {
    const statement = `DELETE FROM ${this.#jobs} WHERE id = ? RETURNING token, lock_key, lock_owner`;
    return this.file.write((session) => {
      const row = session.all<[string | null, string | null, string | null]>(statement, [id])[0];
      if (!row) return false;
      const [token, key, owner] = row;
      const now = this.clock.now();
      if (token !== null) this.settles.cancel(session, token, now);
      if (key !== null && owner !== null) this.locks.release(session, key, owner, now);
      return true;
    }, this.patience);
  }

  /** From name to name along the claim index: as many steps as there are queues. */
  queues(): Promise<readonly string[]> {
    const next = `SELECT queue FROM ${this.#jobs} WHERE leased_until IS NULL AND queue > ? ORDER BY queue LIMIT 1`;
    const first = `SELECT queue FROM ${this.#jobs} WHERE leased_until IS NULL ORDER BY queue LIMIT 1`;
    const reserved = `SELECT DISTINCT queue FROM ${this.#jobs} WHERE leased_until IS NOT NULL`;
    return this.#read((session) => {
      const names = new Set<string>();
      let row = session.first<[string]>(first, []);
      while (row) {
        names.add(row[0]);
        row = session.first<[string]>(next, [row[0]]);
      }
      for (const [name] of session.all<[string]>(reserved, [])) names.add(name);
      return [...names];
    });
  }

  /** Priority by priority, as a claim goes: what is delayed is not walked over to find what is pending. */
  #free(
    session: Session,
    queue: string,
    pending: boolean,
    now: number,
    cursor: readonly number[] | undefined,
    limit: number,
  ): Found[] {
    const level = `SELECT priority FROM ${this.#jobs} WHERE queue = ? AND leased_until IS NULL AND priority <= ? ORDER BY priority DESC LIMIT 1`;
    const stretch = `SELECT ${COLUMNS} FROM ${this.#jobs} WHERE queue = ? AND leased_until IS NULL AND priority = ?
      AND available_at ${pending ? '<=' : '>'} ? AND (available_at, seq) > (?, ?) ORDER BY available_at, seq LIMIT ?`;
    const rows: Found[] = [];
    let [top = Number.MAX_SAFE_INTEGER, afterTime = -1, afterSeq = -1] = cursor ?? [];
    for (;;) {
      const priority = session.first<[number]>(level, [queue, top])?.[0];
      if (priority === undefined) return rows;
      if (priority !== top) afterTime = afterSeq = -1;
      rows.push(...session.all<Found>(stretch, [queue, priority, now, afterTime, afterSeq, limit - rows.length]));
      if (rows.length >= limit) return rows;
      top = priority - 1;
      afterTime = afterSeq = -1;
    }
  }

  #reserved(session: Session, queue: string, cursor: readonly number[] | undefined, limit: number): Found[] {
    const statement = `SELECT ${COLUMNS} FROM ${this.#jobs} WHERE leased_until IS NOT NULL AND queue = ? AND (leased_until, seq) > (?, ?)
      ORDER BY leased_until, seq LIMIT ?`;
    const [, afterTime = -1, afterSeq = -1] = cursor ?? [];
    const params: Value[] = [queue, afterTime, afterSeq, limit];
    return session.all<Found>(statement, params);
  }

  #read<T>(work: (session: Session) => T): Promise<T> {
    return this.file.read(work, this.patience);
  }
}

function storedJob(
  [, id, queue, body, priority, attempts, stalls, availableAt, createdAt, leasedUntil]: Found,
  now: number,
): StoredJob {
  const state: JobState = leasedUntil !== null ? 'reserved' : availableAt <= now ? 'pending' : 'delayed';
  const job = { id, queue, body, priority, attempts, stalls, state, availableAt, createdAt };
  return leasedUntil === null ? job : { ...job, leasedUntil };
}
