import type { PushEntry, PushResult } from '../../../contracts/queue-driver.js';
import { entryFault } from '../../entry-fault.js';
import type { Tables } from '../table-names.js';
import type { LockRows } from './locks.js';
import type { Session, Value } from './session.js';
import { isRowFault } from './sqlite-fault.js';

/** Rows of one INSERT: of fifty, each costs a third of what it does by itself. What is left over goes by the smaller size, then singly. */
const SIZES = [50, 10] as const;

/** Several rows were written as one, and not all of them came to be: roll back, and write them one by one. */
export class NotAsOne extends Error {
  override readonly name = 'NotAsOne';
}

/** Stores entries, within a write unit. */
export class PushRows {
  /** Nothing is inserted for an id that is there. */
  readonly insert: string;
  /** For an entry with `once`: whether its id is there or remembered. */
  readonly known: string;
  readonly remember: string;
  readonly lives: string;
  readonly #inserts: readonly (readonly [rows: number, sql: string])[];

  constructor(
    { quoted: t }: Tables,
    private readonly locks: LockRows,
  ) {
    this.insert = `INSERT INTO ${t.jobs} (id, queue, priority, available_at, created_at, lock_key, lock_owner, body)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`;
    // What the rows have in common is bound once: each value handed over costs as much as a column written.
    const insert = (
      rows: number,
    ): string => `INSERT INTO ${t.jobs} (queue, priority, available_at, created_at, id, body)
      SELECT * FROM (SELECT ?, ?, ?, ?) CROSS JOIN (VALUES ${Array(rows).fill('(?, ?)').join(', ')}) WHERE true
      ON CONFLICT (id) DO NOTHING`;
    this.#inserts = SIZES.map((rows) => [rows, insert(rows)] as const);
    this.lives = `SELECT 1 FROM ${t.jobs} WHERE id = ?`;
    this.known = `${this.lives} UNION ALL SELECT 1 FROM ${t.once} WHERE id = ? AND expires_at > ? LIMIT 1`;
    this.remember = `INSERT INTO ${t.once} (id, expires_at) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at`;
  }

  /** An entry that cannot be stored is answered with `error`; what the whole file is to blame for is thrown. */
  store(session: Session, entry: PushEntry, now: number): PushResult {
    const fault = entryFault(entry);
    if (fault) return { stored: false, reason: 'error', error: fault };
    try {
      return entry.lock || entry.once
        ? session.nested(() => this.#storeWith(session, entry, now))
        : this.#storePlain(session, entry, now);
    } catch (error) {
      if (!isRowFault(error)) throw error;
      return { stored: false, reason: 'error', error };
    }
  }

  /**
   * The same for many, in the order given.
   *
   * @throws NotAsOne when it must be done one by one in another write unit: an id was there, or a row could not be stored
   */
  storeAll(session: Session, entries: readonly PushEntry[], now: number): PushResult[] {
    const results: PushResult[] = [];
    for (let at = 0; at < entries.length;) {
      const alike = alikeFrom(entries, at);
      const [rows, sql] = this.#inserts.find(([size]) => size <= alike) ?? [1, undefined];
      if (sql === undefined) results.push(this.store(session, entries[at]!, now));
      else this.#storeAsOne(session, sql, entries, at, at + rows, now, results);
      at += rows;
    }
    return results;
  }

  #storeAsOne(
    session: Session,
    sql: string,
    entries: readonly PushEntry[],
    from: number,
    to: number,
    now: number,
    results: PushResult[],
  ): void {
    const { queue, priority = 0, delayMs } = entries[from]!;
    const params: Value[] = [queue, priority, dueAt(now, delayMs), now];
    for (let at = from; at < to; at++) params.push(entries[at]!.id, entries[at]!.body);
    let changes: number;
    try {
      changes = session.run(sql, params);
    } catch (error) {
      throw isRowFault(error) ? new NotAsOne() : error;
    }
    if (changes !== to - from) throw new NotAsOne();
    for (let left = changes; left > 0; left--) results.push(STORED);
  }

  #storePlain(session: Session, entry: PushEntry, now: number): PushResult {
    const changes = session.run(this.insert, insertParams(entry, now));
    return changes > 0 ? STORED : { stored: false, reason: 'exists' };
  }

  /** A repeat is answered as a repeat before its lock is looked at. */
  #storeWith(session: Session, entry: PushEntry, now: number): PushResult {
    const repeat = entry.once
      ? session.first(this.known, [entry.id, entry.id, now])
      : session.first(this.lives, [entry.id]);
    if (repeat !== undefined) return { stored: false, reason: 'exists' };
    if (entry.lock && !this.locks.take(session, entry.lock, now)) {
      const by = this.locks.owner(session, entry.lock.key, now);
      return { stored: false, reason: 'locked', ...(by === undefined ? {} : { by }) };
    }
    const result = this.#storePlain(session, entry, now);
    if (entry.once) session.run(this.remember, [entry.id, now + entry.once.ttlMs]);
    return result;
  }
}

const STORED: PushResult = Object.freeze({ stored: true });

/** How many entries from there on, of the largest size at most, are stored by nothing but their rows, at one place and time. */
function alikeFrom(entries: readonly PushEntry[], from: number): number {
  const end = Math.min(entries.length, from + SIZES[0]);
  const first = entries[from]!;
  let at = from;
  for (; at < end; at++) {
    const entry = entries[at]!;
    if (entryFault(entry) || entry.lock || entry.once) break;
    if (entry.queue !== first.queue || entry.priority !== first.priority || entry.delayMs !== first.delayMs) break;
  }
  return at - from;
}

function dueAt(now: number, delayMs: number): number {
  return now + Math.max(0, Math.ceil(delayMs));
}

export function insertParams(entry: PushEntry, now: number): Value[] {
  return [
    entry.id,
    entry.queue,
    entry.priority ?? 0,
    dueAt(now, entry.delayMs),
    now,
    entry.lock?.key ?? null,
    entry.lock?.owner ?? null,
    entry.body,
  ];
}
