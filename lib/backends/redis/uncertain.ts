import type { Settlement } from '../../contracts/queue-driver.js';
import type { Refusal } from './settle-call.js';

/** Where nothing was heard of a settlement for so long, nobody hands it in again. */
const KEPT_MS = 60_000;

/**
 * Settlements whose answer was lost: they may have taken effect. Handed in again, such a one finds its token gone, and that may have been
 * its own doing. An acked job that is nowhere, and a released one that is free, were ended by it; one that another worker holds was not.
 */
export class Uncertain {
  /** When the answer for this token was lost, by `performance.now()`. */
  readonly #lostAt = new Map<string, number>();

  lost(settlements: readonly Settlement[]): void {
    const now = performance.now();
    for (const [token, lostAt] of this.#lostAt) if (now - lostAt > KEPT_MS) this.#lostAt.delete(token);
    for (const { job } of settlements) this.#lostAt.set(job.token, now);
  }

  /** Whether a refusal means that it had been accepted before. Asked once. */
  wasOurs({ kind, job }: Settlement, refusal: Refusal): boolean {
    if (!this.#lostAt.delete(job.token)) return false;
    return refusal === (kind === 'ack' ? 'g' : 'f');
  }

  /** These have their answer. */
  known(settlements: readonly Settlement[]): void {
    if (this.#lostAt.size === 0) return;
    for (const { job } of settlements) this.#lostAt.delete(job.token);
  }
}
