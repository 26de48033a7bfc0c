import type { PushEntry } from '../../../contracts/queue-driver.js';
import { InvalidOptionError } from '../../../support/queue-error.js';
import { statementOf } from '../server/flavour.js';
import type { Link, Param, Statement } from '../server/link.js';
import { idKey, indexable, storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { storedBody } from '../../body-text.js';
import { joinedText, plainArray, splitText, textArray, wholeMs } from './parameters.js';
import { NOW } from './postgres-flavour.js';

/** A row of an index is bounded, and the queue's name is part of one. */
const LONGEST_QUEUE = 500;

const COLUMNS = 'id, available_at, priority, queue, id_name, lock_key, lock_owner, body';

const UNIQUE_VIOLATION = '23505';
/** After a repeat there may be more of them: so long each id is looked up before its row is written. */
const CAREFUL_MS = 10_000;

/**
 * What is delayed becomes due a millisecond later than asked for: the clock is cut to whole ones, and without it a job could come up to
 * one early.
 */
const dueAt = (delay: string): string => `${NOW} + CASE WHEN ${delay} > 0 THEN ${delay} + 1 ELSE 0 END`;

interface Stored {
  readonly key: string;
  readonly name: string | null;
  readonly delayMs: number;
  readonly priority: number;
  readonly queue: string;
  readonly lockKey: string | null;
  readonly lockOwner: string | null;
  readonly body: string;
}

interface Prepared {
  readonly rows: readonly Stored[];
  /** The parameters of the short statement; absent where they differ in more than id and body. */
  readonly alike?: { readonly ids: string; readonly bodies: string };
}

export class PushStatements {
  readonly #one: Statement;
  readonly #alike: Statement;
  readonly #many: Statement;
  readonly #lives: Statement;
  readonly #place: Statement;
  readonly #remembered: Statement;
  readonly #remember: Statement;
  #carefulUntil = -Infinity;
  readonly #prepared = new WeakMap<readonly PushEntry[], Prepared>();

  constructor({ quoted: t }: Tables) {
    const insert = `INSERT INTO ${t.jobs} (${COLUMNS})`;
    const unlessThere = 'ON CONFLICT (id) DO NOTHING';
    this.#one = statementOf(
      `${insert} VALUES ($1::uuid, ${dueAt('$2::bigint')}, $3::int, $4, $5, $6, $7, $8) ${unlessThere}`,
    );
    // ON CONFLICT writes each row twice to the log, and the columns that all rows share need not be taken apart: 6 µs a row become 4.
    this.#alike = statementOf(`INSERT INTO ${t.jobs} (id, available_at, priority, queue, body)
      SELECT e.id, (SELECT ${dueAt('$2::bigint')}), $3::int, $4::text, e.body FROM unnest($1::uuid[], ${splitText('$5')}) AS e(id, body)`);
    // The ids that are new are sent back only where some are not: as rows they would cost more than storing them.
    this.#many = statementOf(`WITH stored AS (
      ${insert} SELECT e.id, ${dueAt('e.delay')}, e.priority, e.queue, e.id_name, e.lock_key, e.lock_owner, e.body
      FROM unnest($1::uuid[], $2::bigint[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[],
        coalesce(${splitText('$8')}, $9::text[])) WITH ORDINALITY
        AS e(id, delay, priority, queue, id_name, lock_key, lock_owner, body, n)
      ORDER BY e.n ${unlessThere} RETURNING id)
      SELECT count(*) AS count, CASE WHEN count(*) < $10::int THEN string_agg(id::text, ',') END AS ids FROM stored`);
    this.#lives = statementOf(`SELECT 1 AS one FROM ${t.jobs} WHERE id = $1::uuid`);
    this.#place = statementOf(`INSERT INTO ${t.once} (id, expires_at) VALUES ($1, 0) ON CONFLICT (id) DO NOTHING`);
    this.#remembered = statementOf(`SELECT (expires_at > ${NOW})::int AS yes FROM ${t.once} WHERE id = $1 FOR UPDATE`);
    this.#remember = statementOf(
      `INSERT INTO ${t.once} (id, expires_at) VALUES ($1, ${NOW} + $2::bigint) ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at`,
    );
  }

  prepare(entries: readonly PushEntry[]): void {
    try {
      this.#prepared.set(entries, preparedRows(entries));
    } catch {
      // The insert says what is wrong with them.
    }
  }

  /** @param alone in no transaction, which a repeated id would end */
  async insert(link: Link, entries: readonly PushEntry[], alone = false): Promise<readonly boolean[]> {
    const prepared = this.#prepared.get(entries) ?? preparedRows(entries);
    const { rows } = prepared;
    const [first] = rows;
    if (first === undefined) return [];
    if (rows.length === 1) {
      const { changes } = await link.query(this.#one, [
        first.key,
        first.delayMs,
        first.priority,
        first.queue,
        first.name,
        first.lockKey,
        first.lockOwner,
        first.body,
      ]);
      return [changes > 0];
    }
    if (alone && (await this.#insertAlike(link, prepared))) return rows.map(() => true);
    const { rows: answer } = await link.query<[count: number, ids: string | null]>(this.#many, manyParams(rows));
    const [count, ids] = answer[0]!;
    if (Number(count) === rows.length) return rows.map(() => true);
    // Of two entries with one id the first is stored.
    const stored = new Set(ids === null ? [] : ids.split(','));
    return rows.map(({ key }) => stored.delete(key));
  }

  /** False where they are not alike, or one of them is there already: nothing has been stored then. */
  async #insertAlike(link: Link, { rows, alike }: Prepared): Promise<boolean> {
    if (alike === undefined || performance.now() < this.#carefulUntil) return false;
    const first = rows[0]!;
    const { ids, bodies } = alike;
    try {
      await link.query(this.#alike, [ids, first.delayMs, first.priority, first.queue, bodies]);
      return true;
    } catch (error) {
      if ((error as { code?: unknown }).code !== UNIQUE_VIOLATION) throw error;
      this.#carefulUntil = performance.now() + CAREFUL_MS;
      return false;
    }
  }

  async exists(link: Link, id: string): Promise<boolean> {
    return (await link.query(this.#lives, [idKey(id).key])).rows.length > 0;
  }

  async isFirst(link: Link, id: string): Promise<boolean> {
    await link.query(this.#place, [indexable(id)]);
    const { rows } = await link.query(this.#remembered, [indexable(id)]);
    return Number(rows[0]![0]) === 0;
  }

  async remember(link: Link, id: string, ttlMs: number): Promise<void> {
    await link.query(this.#remember, [indexable(id), wholeMs(ttlMs)]);
  }
}

/** @throws InvalidOptionError for a queue whose name no index can hold */
function preparedRows(entries: readonly PushEntry[]): Prepared {
  const rows = entries.map(storedEntry);
  const [first] = rows;
  if (first === undefined || rows.length === 1 || !rows.every((row) => isLike(row, first))) return { rows };
  const bodies = joinedText(rows.map(({ body }) => body));
  return bodies === undefined ? { rows } : { rows, alike: { ids: plainArray(rows.map(({ key }) => key)), bodies } };
}

function storedEntry(entry: PushEntry): Stored {
  const { key, name } = idKey(entry.id);
  const queue = storable(entry.queue);
  // No character has more than three bytes for each of its UTF-16 units.
  if (queue.length * 3 > LONGEST_QUEUE && Buffer.byteLength(queue) > LONGEST_QUEUE) {
    throw new InvalidOptionError(
      `The job ${entry.id} cannot be stored: the name of its queue has ${Buffer.byteLength(queue)} bytes. Postgres keeps names of at most ${LONGEST_QUEUE}.`,
    );
  }
  return {
    key,
    name,
    delayMs: wholeMs(entry.delayMs),
    priority: entry.priority ?? 0,
    queue,
    lockKey: entry.lock ? indexable(entry.lock.key) : null,
    lockOwner: entry.lock ? storable(entry.lock.owner) : null,
    body: storedBody(entry.body, entry.id),
  };
}

/** Jobs of one bulk mostly differ in no more than id and body. */
function isLike({ delayMs, priority, queue, name, lockKey }: Stored, other: Stored): boolean {
  return (
    name === null &&
    lockKey === null &&
    queue === other.queue &&
    delayMs === other.delayMs &&
    priority === other.priority
  );
}

function manyParams(rows: readonly Stored[]): Param[] {
  const bodies = rows.map(({ body }) => body);
  const joined = joinedText(bodies);
  const queues = rows.map(({ queue }) => queue);
  return [
    plainArray(rows.map(({ key }) => key)),
    plainArray(rows.map(({ delayMs }) => delayMs)),
    plainArray(rows.map(({ priority }) => priority)),
    textArray(queues),
    rareArray(rows.map(({ name }) => name)),
    rareArray(rows.map(({ lockKey }) => lockKey)),
    rareArray(rows.map(({ lockOwner }) => lockOwner)),
    joined ?? null,
    joined === undefined ? textArray(bodies) : null,
    rows.length,
  ];
}

/** Hardly any row has one: all of them are NULL then. */
function rareArray(texts: readonly (string | null)[]): string | null {
  return texts.some((text) => text !== null) ? textArray(texts) : null;
}
