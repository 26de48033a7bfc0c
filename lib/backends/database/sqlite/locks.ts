import type { Clock } from '../../../support/clock.js';
import type { HeldLock, LockStore } from '../../../contracts/lock-store.js';
import type { Tables } from '../table-names.js';
import type { Session, Value } from './session.js';
import type { Patience, SqliteFile } from './sqlite-file.js';

/** The statements on locks, for use inside a write unit. */
export class LockRows {
  readonly #take: string;
  readonly #extend: string;
  readonly #drop: string;
  readonly #owner: string;
  readonly #put: string;
  readonly #force: string;

  constructor({ quoted: t }: Tables) {
    const free = `${t.locks}.expires_at IS NOT NULL AND ${t.locks}.expires_at <= ?`;
    const insert = `INSERT INTO ${t.locks} (key, owner, expires_at) VALUES (?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at`;
    this.#take = `${insert} WHERE ${t.locks}.owner = excluded.owner OR (${free})`;
    this.#put = insert;
    this.#extend = `UPDATE ${t.locks} SET expires_at = ? WHERE key = ? AND owner = ? AND (expires_at IS NULL OR expires_at > ?)`;
    this.#drop = `DELETE FROM ${t.locks} WHERE key = ? AND owner = ? AND (expires_at IS NULL OR expires_at > ?)`;
    this.#owner = `SELECT owner FROM ${t.locks} WHERE key = ? AND (expires_at IS NULL OR expires_at > ?)`;
    this.#force = `DELETE FROM ${t.locks} WHERE key = ?`;
  }

  take(session: Session, { key, owner, ttlMs }: HeldLock, now: number): boolean {
    return session.run(this.#take, [key, owner, endOf(ttlMs, now), now]) > 0;
  }

  /** The same as a statement, for another connection: a row comes back when the lock was taken. */
  taking({ key, owner, ttlMs }: HeldLock, now: number): [sql: string, params: Value[]] {
    return [`${this.#take} RETURNING key`, [key, owner, endOf(ttlMs, now), now]];
  }

  owning(key: string, now: number): [sql: string, params: Value[]] {
    return [this.#owner, [key, now]];
  }

  extend(session: Session, { key, owner, ttlMs }: HeldLock, now: number): boolean {
    return session.run(this.#extend, [endOf(ttlMs, now), key, owner, now]) > 0;
  }

  release(session: Session, key: string, owner: string, now: number): boolean {
    return session.run(this.#drop, [key, owner, now]) > 0;
  }

  replace(session: Session, lock: HeldLock, now: number): string | undefined {
    const before = this.owner(session, lock.key, now);
    session.run(this.#put, [lock.key, lock.owner, endOf(lock.ttlMs, now)]);
    return before;
  }

  owner(session: Session, key: string, now: number): string | undefined {
    return session.first<[string]>(this.#owner, [key, now])?.[0];
  }

  force(session: Session, key: string): void {
    session.run(this.#force, [key]);
  }
}

function endOf(ttlMs: number, now: number): Value {
  return ttlMs === Infinity ? null : now + ttlMs;
}

export class SqliteLocks implements LockStore {
  constructor(
    private readonly file: SqliteFile,
    private readonly rows: LockRows,
    private readonly clock: Clock,
    private readonly patience: Patience,
  ) {}

  acquire(key: string, owner: string, ttlMs: number): Promise<boolean> {
    return this.#write((session, now) => this.rows.take(session, { key, owner, ttlMs }, now));
  }

  async extend(locks: readonly HeldLock[]): Promise<readonly boolean[]> {
    if (locks.length === 0) return [];
    return this.#write((session, now) => locks.map((lock) => this.rows.extend(session, lock, now)));
  }

  release(key: string, owner: string): Promise<boolean> {
    return this.#write((session, now) => this.rows.release(session, key, owner, now));
  }

  replace(key: string, owner: string, ttlMs: number): Promise<string | undefined> {
    return this.#write((session, now) => this.rows.replace(session, { key, owner, ttlMs }, now));
  }

  owner(key: string): Promise<string | undefined> {
    return this.file.read((session) => this.rows.owner(session, key, this.clock.now()), this.patience);
  }

  forceRelease(key: string): Promise<void> {
    return this.#write((session) => this.rows.force(session, key));
  }

  #write<T>(unit: (session: Session, now: number) => T): Promise<T> {
    return this.file.write((session) => unit(session, this.clock.now()), this.patience);
  }
}
