import type { HeldLock } from '../../../contracts/lock-store.js';
import { chunks } from '../../../support/chunks.js';
import type { Tables } from '../table-names.js';
import { HELD_ROW_MS, type BriefInsert } from './brief-insert.js';
import type { Flavour } from './flavour.js';
import type { Link, Statement } from './link.js';
import { LIST, SizedStatement } from './sized-statement.js';
import { indexable, readable, storable } from '../../stored-text.js';

/** A time that is longer does not fit beside the clock: such a lock has no end. */
const LONGEST_MS = 2 ** 52;

/** What is left of the time that a caller waits for locks in all, however many it asks for. */
export interface LockPatience {
  leftMs: number;
}

export const lockPatience = (): LockPatience => ({ leftMs: HELD_ROW_MS });

/** Who asks when that time is over still waits for what ends at once: a job that is just being settled. */
const LEAST_MS = 5;

/** The statements on locks. */
export class LockRows {
  readonly #insert: Statement;
  readonly #take: Statement;
  readonly #insertBriefly: BriefInsert;
  readonly #takeBriefly: BriefInsert;
  readonly #put: Statement;
  readonly #drop: Statement;
  readonly #force: Statement;
  readonly #owner: Statement;
  readonly #row: Statement;
  readonly #ownerForUpdate: Statement;
  readonly #held: SizedStatement;
  readonly #lengthen: SizedStatement;

  constructor({ quoted: t }: Tables, flavour: Flavour) {
    const { now } = flavour;
    const live = `(expires_at IS NULL OR expires_at > ${now})`;
    const insert = `INSERT INTO ${t.locks} (lock_key, owner, expires_at) VALUES (?, ?, ${now} + ?)`;
    const find = `SELECT owner FROM ${t.locks} WHERE lock_key = ?`;
    const ignoring = (start: string): string => flavour.insertIgnoring(start, 'lock_key');
    const taking = (start: string): string =>
      flavour.upsert(start, 'lock_key', (given) => {
        // MySQL assigns one by one: for the second one the owner is the new one, and the answer is the same.
        const mine = `${t.locks}.owner = ${given('owner')} OR ${t.locks}.expires_at <= ${now}`;
        return `owner = CASE WHEN ${mine} THEN ${given('owner')} ELSE ${t.locks}.owner END,
          expires_at = CASE WHEN ${mine} THEN ${given('expires_at')} ELSE ${t.locks}.expires_at END`;
      });
    this.#insert = flavour.statement(ignoring(insert));
    this.#take = flavour.statement(taking(insert));
    const parts = {
      table: t.locks,
      columns: ['lock_key', 'owner', 'expires_at'],
      values: ['?', '?', `${now} + ?`],
    };
    this.#insertBriefly = flavour.brief({ ...parts, complete: ignoring });
    this.#takeBriefly = flavour.brief({ ...parts, complete: taking });
    this.#put = flavour.statement(`UPDATE ${t.locks} SET owner = ?, expires_at = ${now} + ? WHERE lock_key = ?`);
    this.#drop = flavour.statement(`DELETE FROM ${t.locks} WHERE lock_key = ? AND owner = ? AND ${live}`);
    this.#force = flavour.statement(`DELETE FROM ${t.locks} WHERE lock_key = ?`);
    this.#owner = flavour.statement(`${find} AND ${live}`);
    this.#row = flavour.statement(`${find} ${flavour.forUpdate}`);
    this.#ownerForUpdate = flavour.statement(
      `SELECT owner, CASE WHEN ${live} THEN 1 ELSE 0 END AS live FROM ${t.locks} WHERE lock_key = ? ${flavour.forUpdate}`,
    );
    this.#held = new SizedStatement(
      flavour,
      (length) =>
        `SELECT lock_key, owner FROM ${t.locks} WHERE lock_key IN ${flavour.list(length)} AND ${live} ORDER BY lock_key ${flavour.forUpdate}`,
    );
    this.#lengthen = new SizedStatement(
      flavour,
      (length) => `UPDATE ${t.locks} SET expires_at = ${now} + ? WHERE lock_key IN ${flavour.list(length)}`,
    );
  }

  /**
   * Outside a transaction, where each statement commits by itself: one for a free lock, and none that holds a row while another one is
   * sent. A repeat of all of it answers the same. What another transaction has written counts as a holder, before it is committed too.
   */
  async acquire(link: Link, lock: HeldLock): Promise<boolean> {
    const params = [indexable(lock.key), storable(lock.owner), lasting(lock.ttlMs)];
    const fresh = await this.#insertBriefly.run(link, params, HELD_ROW_MS);
    if (fresh !== false) return fresh === true;
    const holder = await this.owner(link, lock.key);
    if (holder !== undefined && holder !== lock.owner) return false;
    if ((await this.#takeBriefly.run(link, params, HELD_ROW_MS)) === undefined) return false;
    return (await this.#holder(link, lock.key)) === lock.owner;
  }

  /**
   * Within a transaction of any isolation: whose the lock is now, when it is not `lock.owner`. The row is locked at once, and read as it
   * is by now: MySQL's inserts would share it first, and two who share cannot go on.
   *
   * @param patience how long a row is waited for that somebody has not committed; then it is not taken, and the transaction has to go
   *   back to its savepoint. Without it, as long as the session waits.
   */
  async take(
    link: Link,
    lock: HeldLock,
    patience?: LockPatience,
  ): Promise<{ readonly taken: boolean; readonly by?: string }> {
    const params = [indexable(lock.key), storable(lock.owner), lasting(lock.ttlMs)];
    if (patience) {
      const began = performance.now();
      if ((await this.#takeBriefly.run(link, params, Math.max(LEAST_MS, patience.leftMs))) === undefined) {
        patience.leftMs -= performance.now() - began;
        return { taken: false };
      }
    } else await link.query(this.#take, params);
    const by = await this.#holder(link, lock.key);
    if (by === lock.owner) return { taken: true };
    return { taken: false, ...(by === undefined ? {} : { by }) };
  }

  /** Within a transaction. Rows are locked by their keys' order, whoever asks for them. */
  async extend(link: Link, locks: readonly HeldLock[]): Promise<readonly boolean[]> {
    const asked = locks.map(({ key, owner, ttlMs }) => ({ key: indexable(key), owner: storable(owner), ttlMs }));
    const owners = new Map<string, string>();
    for (const some of chunks([...new Set(asked.map(({ key }) => key))].sort(), LIST)) {
      const { statement, padded } = this.#held.of(some);
      for (const [key, owner] of (await link.query<[string, string]>(statement, padded)).rows) owners.set(key, owner);
    }
    const mine = asked.map(({ key, owner }) => owners.get(key) === owner);
    const byTime = new Map<number, string[]>();
    for (const [at, { key, ttlMs }] of asked.entries()) {
      if (mine[at]) byTime.set(ttlMs, [...(byTime.get(ttlMs) ?? []), key]);
    }
    for (const [ttlMs, keys] of byTime) {
      for (const some of chunks(keys, LIST)) {
        const { statement, padded } = this.#lengthen.of(some);
        await link.query(statement, [lasting(ttlMs), ...padded]);
      }
    }
    return mine;
  }

  async release(link: Link, key: string, owner: string): Promise<boolean> {
    return (await link.query(this.#drop, [indexable(key), storable(owner)])).changes > 0;
  }

  /** Within a transaction. */
  async replace(link: Link, { key, owner, ttlMs }: HeldLock): Promise<string | undefined> {
    const row = indexable(key);
    for (;;) {
      const found = await link.query<[string, number]>(this.#ownerForUpdate, [row]);
      const [before] = found.rows;
      if (before) {
        await link.query(this.#put, [storable(owner), lasting(ttlMs), row]);
        return Number(before[1]) === 1 ? readable(before[0]) : undefined;
      }
      // Not one row: somebody else was first, and is the one who had it.
      if ((await link.query(this.#insert, [row, storable(owner), lasting(ttlMs)])).changes > 0) return undefined;
    }
  }

  async owner(link: Link, key: string): Promise<string | undefined> {
    return ownerOf((await link.query<[string]>(this.#owner, [indexable(key)])).rows);
  }

  async force(link: Link, key: string): Promise<void> {
    await link.query(this.#force, [indexable(key)]);
  }

  /** Whoever stands there, also when the time is over: who has just taken a lock for no time at all has taken it. */
  async #holder(link: Link, key: string): Promise<string | undefined> {
    return ownerOf((await link.query<[string]>(this.#row, [indexable(key)])).rows);
  }
}

function ownerOf(rows: readonly (readonly [string])[]): string | undefined {
  return rows[0] && readable(rows[0][0]);
}

/** What is added to the clock; NULL is no end. */
function lasting(ttlMs: number): number | null {
  return ttlMs >= LONGEST_MS ? null : Math.ceil(ttlMs);
}
