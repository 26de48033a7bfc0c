import type { Effects, Settlement, SettleResult } from '../../../contracts/queue-driver.js';
import type { Tables } from '../table-names.js';
import type { EffectRows } from './effects.js';
import { NotAsOne } from './push.js';
import { rowOf } from './reservation-token.js';
import type { Session, Value } from './session.js';
import { isRowFault } from './sqlite-fault.js';

/** Acks of one DELETE. */
const ACKS = 32;

/** One statement, fenced by the token: on the row that the token tells, or on the job's. */
interface Fenced {
  readonly bySeq: string;
  readonly byId: string;
}

/** How long the holder of a removed job is told so. */
const CANCELLED_FOR_MS = 86_400_000;

/** Ends, releases and renews reservations, within a write unit. Every statement is fenced by the token alone: a lease
 * that ran out unnoticed is still its holder's, so that a job that blocked its only worker for longer is not run twice. */
export class SettleRows {
  readonly #ack: Fenced;
  readonly #ackMany: string;
  readonly #marks: string[] = [];
  readonly #release: Fenced;
  readonly #releaseWithMemo: Fenced;
  readonly #renew: Fenced;
  readonly #wasCancelled: string;
  readonly #cancel: string;

  constructor(
    { quoted: t }: Tables,
    private readonly effects: EffectRows,
  ) {
    const free = 'leased_until = NULL, token = NULL, available_at = ?, attempts = max(0, attempts - ?)';
    const held = (start: string): Fenced => ({
      bySeq: `${start} WHERE seq = ? AND token = ?`,
      byId: `${start} WHERE id = ? AND token = ?`,
    });
    this.#ackMany = `DELETE FROM ${t.jobs} WHERE`;
    this.#ack = held(`DELETE FROM ${t.jobs}`);
    this.#release = held(`UPDATE ${t.jobs} SET ${free}`);
    this.#releaseWithMemo = held(`UPDATE ${t.jobs} SET ${free}, memo = nullif(?, '')`);
    this.#renew = held(`UPDATE ${t.jobs} SET leased_until = ?`);
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
      const group = settlements.slice(at, end);
      this.#ackAsOne(session, group);
      results.push(...this.#membersDone(session, group, now));
      at = end;
    }
    return results;
  }

  /** What comes of the batches is told with the last of their members. @throws NotAsOne */
  #membersDone(session: Session, settlements: readonly Settlement[], now: number): SettleResult[] {
    const results: SettleResult[] = settlements.map(() => OK);
    const batches = new Map<string, { readonly ids: string[]; last: number }>();
    settlements.forEach(({ effects }, at) => {
      if (!effects?.member) return;
      const { batchId, jobId } = effects.member;
      const batch = batches.get(batchId);
      if (batch) {
        batch.ids.push(jobId);
        batch.last = at;
      } else batches.set(batchId, { ids: [jobId], last: at });
    });
    try {
      for (const [batchId, { ids, last }] of batches) {
        const progress = this.effects.done(session, batchId, ids, now);
        if (progress) results[last] = { ok: true, progress };
      }
    } catch (error) {
      throw isRowFault(error) ? new NotAsOne() : error;
    }
    return results;
  }

  /** A token tells its row, and is of one reservation of it: so it does not matter which of them it stands beside. */
  #ackAsOne(session: Session, settlements: readonly Settlement[]): void {
    const { length } = settlements;
    const marks = (this.#marks[length] ??= Array(length).fill('?').join(', '));
    const rows = settlements.map(({ job }) => rowOf(job.id, job.token)!);
    const params: Value[] = [...rows.map(({ seq }) => seq), ...rows.map(({ token }) => token)];
    let changes: number;
    try {
      changes = session.run(`${this.#ackMany} seq IN (${marks}) AND token IN (${marks})`, params);
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
        if (!result.ok) return result;
        const progress = this.effects.apply(session, settlement.effects!, now);
        return progress ? { ok: true, progress } : result;
      });
    } catch (error) {
      return rowError(error);
    }
  }

  renew(session: Session, job: Settlement['job'], leaseMs: number, now: number): SettleResult {
    try {
      return this.#answer(session, job, change(session, this.#renew, job, [now + leaseMs]));
    } catch (error) {
      return rowError(error);
    }
  }

  /** The reservation with this token was ended by hand: its holder will be told. */
  cancel(session: Session, token: string, now: number): void {
    session.run(this.#cancel, [token, now + CANCELLED_FOR_MS]);
  }

  #settleOne(session: Session, settlement: Settlement, now: number): SettleResult {
    const { job } = settlement;
    if (settlement.kind === 'ack') return this.#answer(session, job, change(session, this.#ack, job, []));
    const availableAt = now + Math.max(0, Math.ceil(settlement.delayMs));
    const back = settlement.countAttempt === false ? 1 : 0;
    const changes =
      settlement.memo === undefined
        ? change(session, this.#release, job, [availableAt, back])
        : change(session, this.#releaseWithMemo, job, [availableAt, back, settlement.memo]);
    return this.#answer(session, job, changes);
  }

  #answer(session: Session, { id, token }: Settlement['job'], changes: number): SettleResult {
    if (changes > 0) return OK;
    const written = rowOf(id, token)?.token ?? token;
    const cancelled = session.first(this.#wasCancelled, [written]) !== undefined;
    return { ok: false, reason: cancelled ? 'cancelled' : 'lease-lost' };
  }
}

const OK: SettleResult = Object.freeze({ ok: true });

function isPlainAck({ kind, effects, job }: Settlement): boolean {
  return kind === 'ack' && (!effects || isMemberDone(effects)) && rowOf(job.id, job.token) !== undefined;
}

/** Nothing else follows than that a member of a batch has succeeded. */
function isMemberDone({ push, unlock, failure, member }: Effects): boolean {
  return !push && !unlock && !failure && member?.outcome === 'done' && !member.alsoEnded;
}

function change(session: Session, sql: Fenced, { id, token }: Settlement['job'], params: readonly Value[]): number {
  const row = rowOf(id, token);
  return row === undefined
    ? session.run(sql.byId, [...params, id, token])
    : session.run(sql.bySeq, [...params, row.seq, row.token]);
}

function rowError(error: unknown): SettleResult {
  if (!isRowFault(error)) throw error;
  return { ok: false, reason: 'error', error };
}
