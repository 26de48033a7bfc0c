import { unlimited } from '../../contracts/driver-limits.js';
import type {
  ClearAbility,
  ExchangeAbility,
  LeaseAbility,
  PushEntry,
  PushResult,
  QueueDriver,
  QueueSize,
  ReservedJob,
  ReserveRequest,
  Settlement,
  SettleResult,
} from '../../contracts/queue-driver.js';
import { onAbort } from '../../support/abort.js';
import { QueueError } from '../../support/queue-error.js';
import { Doorbell, takeOrWait } from '../../support/take-or-wait.js';
import { MemoryInspection } from './memory-inspection.js';
import type { MemoryStore } from './memory-store.js';
import { TokenPool } from './token-pool.js';

const accepted: SettleResult = Object.freeze({ ok: true });
const leaseLost: SettleResult = Object.freeze({ ok: false, reason: 'lease-lost' });
const cancelled: SettleResult = Object.freeze({ ok: false, reason: 'cancelled' });

/** The connection was closed before this call. */
export class MemoryClosedError extends QueueError {
  constructor(connection: string) {
    super('ERR_QUEUE_CLOSED', `The [${connection}] connection is closed: it takes and gives no more jobs.`);
  }
}

/** One handle on a memory store. A verb costs what its jobs cost, however many others are stored. */
export class MemoryDriver implements QueueDriver {
  readonly limits = unlimited;
  readonly inspection: MemoryInspection;
  readonly #tokens = new TokenPool();
  readonly #nextToken = (): string => this.#tokens.next();
  readonly #waits = new Set<AbortController>();
  #closed = false;

  constructor(
    private readonly store: MemoryStore,
    private readonly connection: string,
  ) {
    this.inspection = new MemoryInspection(store);
  }

  async push(entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    this.#mustBeOpen();
    const now = this.store.clock.now();
    return entries.map((entry) => this.store.push(entry, now));
  }

  async reserve(request: ReserveRequest): Promise<readonly ReservedJob[]> {
    this.#mustBeOpen();
    if (request.signal.aborted) return [];
    const jobs = this.#claim(request);
    if (jobs.length > 0 || request.waitMs <= 0 || request.limit <= 0) return jobs;
    return this.#wait(request);
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    return this.#settle(settlements);
  }

  readonly exchange: ExchangeAbility = async (settlements, request) => {
    const settled = this.#settle(settlements);
    return { settled, jobs: this.#closed || request.signal.aborted ? [] : this.#claim(request) };
  };

  readonly leases: LeaseAbility = {
    renew: async (jobs, leaseMs) => {
      const until = this.store.clock.now() + leaseMs;
      return jobs.map((held) => {
        const job = this.#held(held);
        if (!job) return this.#refusal(held);
        job.queue.renew(job, until);
        return accepted;
      });
    },
  };

  readonly clearing: ClearAbility = {
    clear: async (name) => {
      const queue = this.store.queues.get(name);
      if (!queue) return 0;
      const now = this.store.clock.now();
      const jobs = (['pending', 'delayed', 'reserved'] as const).flatMap((state) => [...queue.values(state)]);
      for (const job of jobs) this.store.cancel(job, now);
      this.store.queues.delete(name);
      return jobs.length;
    },
  };

  async size(queues: readonly string[]): Promise<readonly QueueSize[]> {
    const now = this.store.clock.now();
    return queues.map((name) => {
      const queue = this.store.queues.get(name);
      if (!queue) return { pending: 0, delayed: 0, reserved: 0 };
      queue.refresh(now);
      const { pending, delayed, reserved, oldestPendingAt } = queue;
      return { pending, delayed: delayed.size, reserved: reserved.size, oldestPendingAt };
    });
  }

  close(): void {
    this.#closed = true;
    for (const wait of this.#waits) wait.abort();
  }

  #claim({ queues, limit, leaseMs }: ReserveRequest): ReservedJob[] {
    const now = this.store.clock.now();
    const jobs: ReservedJob[] = [];
    for (const name of queues) {
      const queue = this.store.queues.get(name);
      if (queue === undefined) continue;
      queue.refresh(now);
      while (jobs.length < limit) {
        const job = queue.take(this.#nextToken, now + leaseMs);
        if (job === undefined) break;
        jobs.push(job.reserved());
      }
      if (jobs.length >= limit) break;
    }
    return jobs;
  }

  async #wait(request: ReserveRequest): Promise<readonly ReservedJob[]> {
    const { clock } = this.store;
    const bell = new Doorbell();
    const ended = new AbortController();
    const deaf = this.store.listen(request.queues, bell);
    const off = onAbort(request.signal, () => ended.abort());
    this.#waits.add(ended);
    try {
      return await takeOrWait({
        take: () => this.#claim(request),
        bell,
        pollMs: () => this.#nextAt(request.queues) - clock.now(),
        waitMs: request.waitMs,
        signal: ended.signal,
        clock,
      });
    } finally {
      this.#waits.delete(ended);
      off();
      deaf();
    }
  }

  #nextAt(queues: readonly string[]): number {
    let next = Infinity;
    for (const name of queues) next = Math.min(next, this.store.queues.get(name)?.nextAt ?? Infinity);
    return next;
  }

  #settle(settlements: readonly Settlement[]): readonly SettleResult[] {
    if (settlements.length === 0) return [];
    const now = this.store.clock.now();
    return settlements.map((one) => this.#settleOne(one, now));
  }

  #settleOne(settlement: Settlement, now: number): SettleResult {
    const job = this.#held(settlement.job);
    if (!job) return this.#refusal(settlement.job);
    const { effects } = settlement;
    const error = effects && this.store.refusal(effects);
    if (error) return { ok: false, reason: 'error', error };
    job.queue.remove(job);
    if (settlement.kind === 'ack') this.store.jobs.delete(job.id);
    else {
      if (settlement.countAttempt === false) job.attempts--;
      if (settlement.memo !== undefined) job.memo = settlement.memo === '' ? undefined : settlement.memo;
      job.availableAt = now + Math.max(0, settlement.delayMs);
      job.queue.add(job, now);
      this.store.ring(job.queue.name);
    }
    const progress = effects && this.store.apply(effects, now);
    return progress ? { ok: true, progress } : accepted;
  }

  /** The job behind a reservation that still stands. */
  #held(held: ReservedJob) {
    const job = this.store.jobs.get(held.id);
    return job !== undefined && job.state === 'reserved' && job.token === held.token ? job : undefined;
  }

  #refusal(held: ReservedJob): SettleResult {
    return this.store.cancelled.get(held.token, this.store.clock.now()) ? cancelled : leaseLost;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new MemoryClosedError(this.connection);
  }
}
