import type { JobState, StoredJob } from '../../../contracts/queue-driver.js';
import { statementOf } from '../server/flavour.js';
import type { Link, Statement } from '../server/link.js';
import { idKey, idOf, readable, storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { readBody } from '../../body-text.js';
import { NOW } from './postgres-flavour.js';

/** How long the holder of a removed job is told so. */
const CANCELLED_FOR_MS = 86_400_000;

const COLUMNS = [
  'seq',
  'id',
  'id_name',
  'queue',
  'body',
  'priority',
  'attempts',
  'stalls',
  'available_at',
  'leased_until',
];
const columnsOf = (row: string): string => COLUMNS.map((column) => `${row}.${column}`).join(', ');

type Found = [
  seq: number,
  key: string,
  idName: string | null,
  queue: string,
  body: string,
  priority: number,
  attempts: number | null,
  stalls: number | null,
  availableAt: number,
  leasedUntil: number | null,
  now: number,
];

type Page = { readonly jobs: readonly StoredJob[]; readonly next?: string };

export class InspectStatements {
  readonly #free: Readonly<Record<'pending' | 'delayed', Statement>>;
  readonly #reserved: Statement;
  readonly #find: Statement;
  readonly #remove: Statement;
  readonly #queues: Statement;

  constructor({ quoted: t }: Tables) {
    this.#free = { pending: statementOf(freePage(t.jobs, '<=')), delayed: statementOf(freePage(t.jobs, '>')) };
    this.#reserved = statementOf(`SELECT ${columnsOf('j')}, ${NOW} AS now FROM ${t.jobs} j
      WHERE j.queue = $1 AND j.leased_until IS NOT NULL AND j.leased_until >= $2::bigint AND (j.leased_until, j.seq) > ($2::bigint, $3::bigint)
      ORDER BY j.leased_until, j.seq LIMIT $4::bigint`);
    this.#find = statementOf(
      `SELECT ${columnsOf('j')}, ${NOW} AS now FROM ${t.jobs} j WHERE j.id = $1::uuid AND j.id_name IS NOT DISTINCT FROM $2::text`,
    );
    this.#remove = statementOf(`WITH gone AS (
        DELETE FROM ${t.jobs} WHERE id = $1::uuid AND id_name IS NOT DISTINCT FROM $2::text RETURNING token, lock_key, lock_owner),
      told AS (INSERT INTO ${t.cancelled} (token, expires_at) SELECT token, ${NOW} + ${CANCELLED_FOR_MS} FROM gone WHERE token IS NOT NULL
        ON CONFLICT (token) DO NOTHING),
      freed AS (DELETE FROM ${t.locks} l USING gone g WHERE l.lock_key = g.lock_key AND l.owner = g.lock_owner)
      SELECT count(*) AS count FROM gone`);
    this.#queues = statementOf(`WITH RECURSIVE
      free(queue) AS (${hop(t.jobs, 'IS NULL', 'free')}),
      held(queue) AS (${hop(t.jobs, 'IS NOT NULL', 'held')})
      SELECT queue FROM free WHERE queue IS NOT NULL UNION SELECT queue FROM held WHERE queue IS NOT NULL`);
  }

  async page(
    link: Link,
    queue: string,
    state: JobState,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<Page> {
    const [priority, time = -1, seq = -1] = cursorOf(options.cursor);
    const more = options.limit + 1;
    const { rows } = await (state === 'reserved'
      ? link.query<Found>(this.#reserved, [storable(queue), time, seq, more])
      : link.query<Found>(this.#free[state], [storable(queue), priority ?? Number.MAX_SAFE_INTEGER, time, seq, more]));
    const page = rows.slice(0, options.limit);
    const last = page.at(-1);
    const next = last && [last[5], last[9] ?? last[8], last[0]].join('.');
    return { jobs: page.map(storedJob), ...(rows.length > page.length && next ? { next } : {}) };
  }

  async find(link: Link, id: string): Promise<StoredJob | undefined> {
    const { key, name } = idKey(id);
    const { rows } = await link.query<Found>(this.#find, [key, name]);
    return rows[0] && storedJob(rows[0]);
  }

  async remove(link: Link, id: string): Promise<boolean> {
    const { key, name } = idKey(id);
    const { rows } = await link.query<[number]>(this.#remove, [key, name]);
    return Number(rows[0]![0]) > 0;
  }

  async queues(link: Link): Promise<readonly string[]> {
    const { rows } = await link.query<[string]>(this.#queues, []);
    return rows.map(([queue]) => readable(queue));
  }
}

/** Priority by priority, as a claim goes: what is delayed is not walked over to find what is pending. */
function freePage(jobs: string, side: '<=' | '>'): string {
  const top = (below: string): string =>
    `(SELECT j.priority FROM ${jobs} j WHERE j.queue = $1 AND j.leased_until IS NULL AND j.priority ${below} ORDER BY j.priority DESC LIMIT 1)`;
  return `WITH RECURSIVE level(priority) AS (
      SELECT ${top('<= $2::bigint')} UNION ALL SELECT ${top('< l.priority')} FROM level l WHERE l.priority IS NOT NULL)
    SELECT ${columnsOf('f')}, ${NOW} AS now FROM level l CROSS JOIN LATERAL (
      SELECT * FROM ${jobs} j WHERE j.queue = $1 AND j.leased_until IS NULL AND j.priority = l.priority AND j.available_at ${side} ${NOW}
        AND j.available_at >= CASE WHEN l.priority = $2::bigint THEN $3::bigint ELSE -1 END
        AND (l.priority <> $2::bigint OR (j.available_at, j.seq) > ($3::bigint, $4::bigint))
      ORDER BY j.available_at, j.seq LIMIT $5::bigint) f
    LIMIT $5::bigint`;
}

/** From name to name along an index: as many steps as there are queues. */
function hop(jobs: string, state: string, self: string): string {
  const next = (after: string): string =>
    `(SELECT j.queue FROM ${jobs} j WHERE j.leased_until ${state} ${after} ORDER BY j.queue LIMIT 1)`;
  return `SELECT ${next('')} UNION ALL SELECT ${next('AND j.queue > s.queue')} FROM ${self} s WHERE s.queue IS NOT NULL`;
}

/** A cursor comes from outside: what is no number stands at the beginning. */
function cursorOf(cursor: string | undefined): readonly number[] {
  return cursor === undefined
    ? []
    : cursor.split('.').map((part) => (Number.isSafeInteger(Number(part)) ? Number(part) : 0));
}

function storedJob([
  ,
  key,
  idName,
  queue,
  body,
  priority,
  attempts,
  stalls,
  availableAt,
  leasedUntil,
  now,
]: Found): StoredJob {
  const state: JobState = leasedUntil !== null ? 'reserved' : availableAt <= now ? 'pending' : 'delayed';
  const id = idOf(key, idName);
  const job = {
    id,
    queue: readable(queue),
    body: readBody(body, id),
    priority,
    attempts: attempts ?? 0,
    stalls: stalls ?? 0,
    state,
    availableAt,
  };
  return leasedUntil === null ? job : { ...job, leasedUntil };
}
