import type { BatchProgress } from '../../contracts/batch-store.js';
import type { Effects, PushEntry, PushResult } from '../../contracts/queue-driver.js';
import type { Clock } from '../../support/clock.js';
import { InvalidOptionError } from '../../support/queue-error.js';
import type { Doorbell } from '../../support/take-or-wait.js';
import { ExpiringMap } from './expiring-map.js';
import { MemoryBatchStore } from './memory-batch-store.js';
import { MemoryControlStore } from './memory-control-store.js';
import { MemoryFailedJobStore } from './memory-failed-job-store.js';
import { MemoryJob } from './memory-job.js';
import { MemoryLockStore } from './memory-lock-store.js';
import { MemoryQueue } from './memory-queue.js';
import { MemoryRateLimiterStore } from './memory-rate-limiter-store.js';

/** How long after its lease the holder of a removed job is still told that it was removed. */
const CANCELLED_KEPT_MS = 60_000;

const stored: PushResult = Object.freeze({ stored: true });
const exists: PushResult = Object.freeze({ stored: false, reason: 'exists' });

/** What all handles on one memory store share. Every verb here runs in one go, so it is atomic by itself. */
export class MemoryStore {
  readonly jobs = new Map<string, MemoryJob>();
  readonly queues = new Map<string, MemoryQueue>();
  readonly locks: MemoryLockStore;
  readonly limits: MemoryRateLimiterStore;
  readonly failed = new MemoryFailedJobStore();
  readonly batches: MemoryBatchStore;
  readonly control: MemoryControlStore;
  /** Tokens whose jobs were removed by hand. */
  readonly cancelled = new ExpiringMap<true>();
  /** Ids that are known past the end of their jobs. */
  readonly #once = new ExpiringMap<true>();
  readonly #bells = new Map<string, Set<Doorbell>>();
  #seq = 0;

  constructor(readonly clock: Clock) {
    this.locks = new MemoryLockStore(clock);
    this.limits = new MemoryRateLimiterStore(clock);
    this.batches = new MemoryBatchStore(clock);
    this.control = new MemoryControlStore(clock);
  }

  /** The queue of this name, made where there is none. */
  queue(name: string): MemoryQueue {
    let queue = this.queues.get(name);
    if (queue === undefined) this.queues.set(name, (queue = new MemoryQueue(name)));
    return queue;
  }

  push(entry: PushEntry, now: number): PushResult {
    const error = unstorable(entry);
    if (error) return { stored: false, reason: 'error', error };
    const { lock, once } = entry;
    if (this.jobs.has(entry.id) || (once && this.#once.get(entry.id, now))) return exists;
    if (lock && !this.locks.take(lock.key, lock.owner, lock.ttlMs)) {
      return { stored: false, reason: 'locked', by: this.locks.holder(lock.key) };
    }
    if (once) this.#once.set(entry.id, true, now + once.ttlMs, now);
    const queue = this.queue(entry.queue);
    const job = new MemoryJob(entry, queue, ++this.#seq, now);
    this.jobs.set(job.id, job);
    queue.add(job, now);
    this.ring(entry.queue);
    return stored;
  }

  /** Applies what follows a settlement, and tells how the batch stands whose member has ended. `refusal` must have found nothing. */
  apply(effects: Effects, now: number): BatchProgress | undefined {
    for (const lock of effects.unlock ?? []) this.locks.free(lock.key, lock.owner);
    for (const entry of effects.push ?? []) this.push(entry, now);
    if (effects.failure) this.failed.add(effects.failure);
    return effects.member && this.batches.end(effects.member.batchId, effects.member);
  }

  /** Why these effects cannot be applied. */
  refusal(effects: Effects): Error | undefined {
    for (const entry of effects.push ?? []) {
      const error = unstorable(entry);
      if (error) return error;
    }
    return undefined;
  }

  /** Removes a job by hand: its lock is given back, and whoever holds it is told. */
  cancel(job: MemoryJob, now: number): void {
    if (job.state === 'reserved') {
      const until = Math.max(job.leasedUntil, now) + CANCELLED_KEPT_MS;
      this.cancelled.set(job.token, true, until, now);
    }
    if (job.lock) this.locks.free(job.lock.key, job.lock.owner);
    job.queue.remove(job);
    this.jobs.delete(job.id);
  }

  /** Rings the bell whenever one of these queues may have changed. Returns what stops it. */
  listen(queues: readonly string[], bell: Doorbell): () => void {
    for (const name of queues) {
      const bells = this.#bells.get(name);
      if (bells) bells.add(bell);
      else this.#bells.set(name, new Set([bell]));
    }
    return () => {
      for (const name of queues) {
        const bells = this.#bells.get(name);
        bells?.delete(bell);
        if (bells?.size === 0) this.#bells.delete(name);
      }
    };
  }

  ring(queue: string): void {
    if (this.#bells.size === 0) return;
    for (const bell of this.#bells.get(queue) ?? []) bell.ring();
  }
}

function unstorable(entry: PushEntry): Error | undefined {
  if (Number.isFinite(entry.delayMs) && Number.isFinite(entry.priority ?? 0)) return undefined;
  return new InvalidOptionError(
    `Job ${entry.id} has a delay of ${entry.delayMs} ms and priority ${entry.priority ?? 0}; both must be finite numbers.`,
  );
}
