import type { LeaseAbility, ReservedJob } from '../contracts/queue-driver.js';
import type { Clock } from '../support/clock.js';
import { type Link, LiveList } from '../support/live-list.js';
import { LeaseLostError } from './worker-errors.js';

/** A reservation that must not run out while it is worked on. */
export interface Leased {
  readonly reserved: ReservedJob;
  readonly displayName: string;
  /** When the watchdog has last renewed it, by `Clock.elapsed()`: it goes on while this thread is blocked. */
  readonly renewedElsewhere?: number;
  /** Kept by the heartbeat: its place, and when the lease was last known to be held. */
  held?: Link<Leased> | undefined;
  heldAt?: number;
  /** The lease is gone: nothing more is written for this job. */
  lost(error: LeaseLostError): void;
}

/**
 * Renews all leases of a worker in one call every third of a lease. A renewal may take min(5 s, lease/6); where none has succeeded
 * for nine tenths of the lease, the worker gives the job up by itself before the store does.
 */
export class Heartbeat {
  readonly #held = new LiveList<'held', Leased>('held');
  #cancel: (() => void) | undefined;
  /** Looks for leases given up, where some may be before the next beat. */
  #cancelLate: (() => void) | undefined;
  #beating = false;

  constructor(
    private readonly leases: LeaseAbility | undefined,
    private readonly leaseMs: number,
    private readonly clock: Clock,
    private readonly report: (message: string, error: unknown) => void,
  ) {}

  add(job: Leased): void {
    if (!this.leases) return;
    job.heldAt = this.clock.elapsed();
    this.#held.add(job);
    this.#cancel ??= this.#next();
  }

  remove(job: Leased): void {
    this.#held.delete(job);
  }

  stop(): void {
    this.#held.clear();
    this.#cancel?.();
    this.#cancelLate?.();
    this.#cancel = undefined;
    this.#cancelLate = undefined;
  }

  #next(): () => void {
    return this.clock.after(this.leaseMs / 3, () => {
      this.#cancel = undefined;
      if (this.#held.size === 0) return;
      this.#cancel = this.#next();
      // A renewal that hangs must not pile up behind itself; its time limit ends it before the next beat but one.
      if (this.#beating) this.#giveUpLate();
      // The store knows best: a process that was blocked for longer than a lease may still hold it.
      else void this.#beat().then(() => this.#giveUpLate());
    });
  }

  async #beat(): Promise<void> {
    this.#beating = true;
    const jobs = this.#held.all();
    const sent = this.clock.elapsed();
    try {
      const answers = await this.#within(
        this.leases!.renew(
          jobs.map((one) => one.reserved),
          this.leaseMs,
        ),
      );
      answers.forEach((answer, at) => {
        const job = jobs[at]!;
        if (!this.#held.has(job)) return;
        if (answer.ok) {
          job.heldAt = sent;
        } else if (answer.reason !== 'error') {
          this.#lose(job, answer.reason);
        }
      });
    } catch (error) {
      this.report('Leases could not be renewed; trying again', error);
    } finally {
      this.#beating = false;
    }
  }

  /** Gives up what has not been renewed for too long, and looks again in time where some comes due before the next beat. */
  #giveUpLate(): void {
    this.#cancelLate?.();
    this.#cancelLate = undefined;
    const now = this.clock.elapsed();
    const longest = this.leaseMs * 0.9;
    let next = Infinity;
    for (const job of this.#held.all()) {
      const left = Math.max(job.heldAt ?? 0, job.renewedElsewhere ?? 0) + longest - now;
      if (left <= 0) this.#lose(job, 'lease-lost');
      else next = Math.min(next, left);
    }
    if (next < this.leaseMs / 3) this.#cancelLate = this.clock.after(next, () => this.#giveUpLate());
  }

  #lose(job: Leased, reason: 'lease-lost' | 'cancelled'): void {
    this.#held.delete(job);
    job.lost(new LeaseLostError(job.displayName, reason));
  }

  #within<T>(work: Promise<T>): Promise<T> {
    const limitMs = Math.min(5_000, this.leaseMs / 6);
    return new Promise((resolve, reject) => {
      const cancel = this.clock.after(limitMs, () => reject(new Error(`no answer within ${Math.round(limitMs)} ms`)));
      work.then(resolve, reject).finally(cancel);
    });
  }
}
