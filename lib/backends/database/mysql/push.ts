import type { PushEntry } from '../../../contracts/queue-driver.js';
import type { Link, Statement } from '../server/link.js';
import { LIST, rowsOf, SizedStatement } from '../server/sized-statement.js';
import { chunks } from '../../../support/chunks.js';
import { idKey, indexable, storable } from '../../stored-text.js';
import type { Tables } from '../table-names.js';
import { isDuplicate } from './mysql-faults.js';
import { statementOf } from '../server/flavour.js';
import { listOf, mysqlFlavour, NOW } from './mysql-flavour.js';
import { UNPREPARED } from './mysql-link.js';
import { QUEUE_BYTES } from './schema.js';

/** Above this many rows the server would describe hundreds of parameters, once for each number of rows. */
const PREPARED_ROWS = 16;
/** Somebody else stores one of the ids each time it is tried again. */
const TRIES = 10;
/** Longer times do not fit beside the clock into what JavaScript counts exactly. */
const LONGEST_MS = 2 ** 52;

type Cells = readonly (string | number | null)[];

/** Stores entries. */
export class PushRows {
  readonly #insert: string;
  readonly #bySize = new Map<number, Statement>();
  readonly #known: SizedStatement;
  readonly #lives: Statement;
  readonly #place: Statement;
  readonly #remembered: Statement;
  readonly #remember: Statement;

  constructor({ quoted: t }: Tables) {
    this.#insert = `INSERT INTO ${t.jobs} (id, id_name, queue, place, available_at, lock_key, lock_owner, body) VALUES `;
    // Read as they are by now, also in a transaction that goes by what it saw first.
    this.#known = new SizedStatement(
      mysqlFlavour,
      (length) => `SELECT id FROM ${t.jobs} WHERE id IN ${listOf(length)} LOCK IN SHARE MODE`,
    );
    this.#lives = statementOf(`SELECT 1 FROM ${t.jobs} WHERE id = ?`);
    this.#place = statementOf(
      mysqlFlavour.insertIgnoring(`INSERT INTO ${t.once} (id, expires_at) VALUES (?, 0)`, 'id'),
    );
    this.#remembered = statementOf(`SELECT expires_at > ${NOW} AS yes FROM ${t.once} WHERE id = ? FOR UPDATE`);
    this.#remember = statementOf(
      mysqlFlavour.upsert(
        `INSERT INTO ${t.once} (id, expires_at) VALUES (?, ${NOW} + ?)`,
        'id',
        (given) => `expires_at = ${given('expires_at')}`,
      ),
    );
  }

  /**
   * One statement, so that a fault leaves nothing behind. It fails as a whole for an id that is there, which is rare: it is then asked
   * which, and the rest is stored. How many rows an INSERT that passes over them has changed is not the same on every connection.
   */
  async insert(link: Link, entries: readonly PushEntry[]): Promise<readonly boolean[]> {
    const first = new Map<string, Cells>();
    const keys = entries.map((entry) => {
      const { key, name } = idKey(entry.id);
      if (!first.has(key)) first.set(key, cellsOf(entry, key, name));
      return key;
    });
    let left = [...first.keys()];
    for (let tries = 1; left.length > 0; tries += 1) {
      try {
        await link.query(
          this.#sized(left.length),
          left.flatMap((key) => first.get(key)!),
        );
        break;
      } catch (error) {
        if (!isDuplicate(error) || tries === TRIES) throw error;
        const known = await this.#knownOf(link, left);
        left = left.filter((key) => !known.has(key));
      }
    }
    const stored = new Set(left);
    // Of one id twice in one call the first counts.
    return keys.map((key) => stored.delete(key));
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
    await link.query(this.#remember, [indexable(id), lasting(ttlMs)]);
  }

  async #knownOf(link: Link, keys: readonly string[]): Promise<ReadonlySet<string>> {
    const known = new Set<string>();
    for (const some of chunks(keys, LIST)) {
      const { statement, padded } = this.#known.of(some);
      for (const [key] of (await link.query<[string]>(statement, padded)).rows) known.add(key);
    }
    return known;
  }

  #sized(rows: number): Statement {
    if (rows > PREPARED_ROWS) return { name: UNPREPARED, text: this.#text(rows) };
    let statement = this.#bySize.get(rows);
    if (statement === undefined) {
      statement = statementOf(this.#text(rows));
      this.#bySize.set(rows, statement);
    }
    return statement;
  }

  #text(rows: number): string {
    return this.#insert + rowsOf(`(?, ?, ?, ?, ${NOW} + ?, ?, ?, ?)`, rows);
  }
}

/** When a job is available again, as what is added to the clock. */
export function lasting(ms: number): number {
  return Math.min(Math.max(0, Math.ceil(ms)), LONGEST_MS);
}

function cellsOf({ id, queue, priority = 0, delayMs, lock, body }: PushEntry, key: string, name: string | null): Cells {
  const queueName = storable(queue);
  // On a connection of the application's own the server may cut it off instead.
  if (Buffer.byteLength(queueName) > QUEUE_BYTES) {
    throw new TypeError(`The job ${id} cannot be stored: its queue's name is longer than ${QUEUE_BYTES} bytes.`);
  }
  const held = lock ? [indexable(lock.key), storable(lock.owner)] : [null, null];
  return [key, name, queueName, 0 - priority, lasting(delayMs), ...held, storable(body)];
}
