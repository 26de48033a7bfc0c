import type { Settlement, SettleResult } from '../../../contracts/queue-driver.js';
import type { Tables } from '../table-names.js';
import type { EffectRows } from './effects.js';
import { NotAsOne } from './push.js';
import type { Session } from './session.js';
import { isRowFault } from './sqlite-fault.js';

/** Acks of one DELETE. */
const ACKS = 32;

/** How long the holder of a removed job is told so. */
const CANCELLED_FOR_MS = 86_400_000;

/** Ends, releases and renews reservations, within a write unit. Every statement is fenced by the token alone: a lease
 * that ran out unnoticed is still its holder's, so that a job that blocked its only worker for longer is not run twice. */
export class SettleRows {
  readonly #ack: string;
  readonly #ackMany: string;
  readonly #marks: string[] = [];
  readonly #release: string;
  readonly #releaseWithMemo: string;
  readonly #renew: string;
  readonly #wasCancelled: string;
  readonly #cancel: string;

  constructor(
    { quoted: t }: Tables,
    private readonly effects: EffectRows,
  ) {
    const held = 'WHERE id = ? AND token = ?';
    const free = 'leased_until = NULL, token = NULL, available_at = ?, attempts = max(0, attempts - ?)';
    this.#ackMany = `DELETE FROM ${t.jobs} WHERE`;
    this.#ack = `DELETE FROM ${t.jobs} ${held}`;
    this.#release = `UPDATE ${t.jobs} SET ${free} ${held}`;
    this.#releaseWithMemo = `UPDATE ${t.jobs} SET ${free}, memo = nullif(?, '') ${held}`;
    this.#renew = `UPDATE ${t.jobs} SET leased_until = ? ${held}`;
    this.#wasCancelled = `SELECT 1 FROM ${t.cancelled} WHERE token = ?`;
    this.#cancel = `INSERT INTO ${t.cancelled} (token, expires_at) VALUES (?, ?) ON CONFLICT (token) DO NOTHING`;
  }

  /**
   * The same for many, in the order given.
   *
   * @throws NotAsOne when it must be done one by one in another write unit: not every reservation was held any more
   */
  settleAll(session: Session, settlements: readonly Settlement[], now: number): SettleResult[] {
    const results: SettleResult[] = [];
    for (let at = 0; at < settlements.length;) {
      let end = at;
      while (end < settlements.length && end - at < ACKS && isPlainAck(settlements[end]!)) end++;
      if (end - at < 2) {
        results.push(this.settle(session, settlements[at++]!, now));
        continue;
      }
      this.#ackAsOne(session, settlements.slice(at, end));
      for (; at < end; at++) results.push(OK);
    }
    return results;
  }

  /** A token is of one reservation of one job, so it does not matter which id it stands beside. */
  #ackAsOne(session: Session, settlements: readonly Settlement[]): void {
    const { length } = settlements;
    const marks = (this.#marks[length] ??= Array(length).fill('?').join(', '));
    const params = [...settlements.map(({ job }) => job.id), ...settlements.map(({ job }) => job.token)];
    let changes: number;
    try {
      changes = session.run(`${this.#ackMany} id IN (${marks}) AND token IN (${marks})`, params);
    } catch (error) {
      throw isRowFault(error) ? new NotAsOne() : error;
    }
    if (changes !== length) throw new NotAsOne();
  }

  settle(session: Session, settlement: Settlement, now: number): SettleResult {
    try {
      if (!settlement.effects) return this.#settleOne(session, settlement, now);
      return session.nested(() => {
        const result = this.#settleOne(session, settlement, now);
        if (result.ok) this.effects.apply(session, settlement.effects!, now);
        return result;
      });
    } catch (error) {
      return rowError(error);
    }
  }

  renew(session: Session, job: Settlement['job'], leaseMs: number, now: number): SettleResult {
    try {
      return this.#answer(session, job.token, session.run(this.#renew, [now + leaseMs, job.id, job.token]));
    } catch (error) {
      return rowError(error);
    }
  }

  /** The reservation with this token was ended by hand: its holder will be told. */
  cancel(session: Session, token: string, now: number): void {
    session.run(this.#cancel, [token, now + CANCELLED_FOR_MS]);
  }

  #settleOne(session: Session, settlement: Settlement, now: number): SettleResult {
    const { id, token } = settlement.job;
    if (settlement.kind === 'ack') return this.#answer(session, token, session.run(this.#ack, [id, token]));
    const availableAt = now + Math.max(0, Math.ceil(settlement.delayMs));
    const back = settlement.countAttempt === false ? 1 : 0;
    const changes =
      settlement.memo === undefined
        ? session.run(this.#release, [availableAt, back, id, token])
        : session.run(this.#releaseWithMemo, [availableAt, back, settlement.memo, id, token]);
    return this.#answer(session, token, changes);
  }

  #answer(session: Session, token: string, changes: number): SettleResult {
    if (changes > 0) return OK;
    const cancelled = session.first(this.#wasCancelled, [token]) !== undefined;
    return { ok: false, reason: cancelled ? 'cancelled' : 'lease-lost' };
  }
}

const OK: SettleResult = Object.freeze({ ok: true });

function isPlainAck({ kind, effects }: Settlement): boolean {
  return kind === 'ack' && effects === undefined;
}

function rowError(error: unknown): SettleResult {
  if (!isRowFault(error)) throw error;
  return { ok: false, reason: 'error', error };
}
