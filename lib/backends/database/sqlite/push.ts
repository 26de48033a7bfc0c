import type { PushEntry, PushResult } from '../../../contracts/queue-driver.js';
import { entryFault } from '../entry-fault.js';
import type { Tables } from '../table-names.js';
import type { LockRows } from './locks.js';
import type { Session, Value } from './session.js';
import { isRowFault } from './sqlite-fault.js';

/** Stores entries, within a write unit. */
export class PushRows {
  /** Nothing is inserted for an id that is there. */
  readonly insert: string;
  /** For an entry with `once`: whether its id is there or remembered. */
  readonly known: string;
  readonly remember: string;
  readonly lives: string;

  constructor(
    { quoted: t }: Tables,
    private readonly locks: LockRows,
  ) {
    this.insert = `INSERT INTO ${t.jobs} (id, queue, priority, available_at, created_at, lock_key, lock_owner, body)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`;
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

  #storePlain(session: Session, entry: PushEntry, now: number): PushResult {
    const changes = session.run(this.insert, insertParams(entry, now));
    return changes > 0 ? { stored: true } : { stored: false, reason: 'exists' };
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

export function insertParams(entry: PushEntry, now: number): Value[] {
  const availableAt = now + Math.max(0, Math.ceil(entry.delayMs));
  return [
    entry.id,
    entry.queue,
    entry.priority ?? 0,
    availableAt,
    now,
    entry.lock?.key ?? null,
    entry.lock?.owner ?? null,
    entry.body,
  ];
}
