import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  unlimited,
  type BackendContext,
  type ClearAbility,
  type DriverLimits,
  type LeaseAbility,
  type PushEntry,
  type PushResult,
  type QueueDriver,
  type QueueSize,
  type ReservedJob,
  type ReserveRequest,
  type Settlement,
  type SettleResult,
} from 'nestjs-queue';
import { FileInspection, isCancelled } from './file-inspection.js';
import { JobFiles } from './job-files.js';
import { digest, dueAt, isFree, nameOf, nextSequence, orderOf, priorityOf, type Ticket } from './ticket.js';

export interface FileDriverOptions {
  readonly driver: 'files';
  /** The directory that the processes share, on a disk of this machine. */
  readonly path: string;
  /** Whether what was answered outlives a power cut (fsync). Default true. */
  readonly durable?: boolean;
}

type Release = Settlement & { readonly kind: 'release' };

const POLL_MS = 25;
const SWEEP_EVERY_MS = 30_000;
const LEASE_LOST: SettleResult = { ok: false, reason: 'lease-lost' };
const CANCELLED: SettleResult = { ok: false, reason: 'cancelled' };

/** A queue in a directory: one file a job, whose name says when it is due and who has it. A rename takes it. */
export class FileDriver implements QueueDriver {
  readonly limits: DriverLimits = { ...unlimited, delayMs: 100 * 365 * 86_400_000 };
  readonly inspection: FileInspection;
  readonly #files: JobFiles;
  readonly #now: () => number;
  readonly #closed = new AbortController();
  #sweptAt = -Infinity;

  constructor({ path, durable = true }: FileDriverOptions, { clock }: Pick<BackendContext, 'clock'>) {
    this.#now = () => clock.now();
    this.#files = new JobFiles(path, this.#now, durable);
    this.inspection = new FileInspection(this.#files);
  }

  async push(entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    const results = entries.map((entry): PushResult => {
      try {
        return this.#add(entry) ? { stored: true } : { stored: false, reason: 'exists' };
      } catch (error) {
        return { stored: false, reason: 'error', error };
      }
    });
    this.#files.sync(new Set(entries.map(({ queue }) => queue)));
    return results;
  }

  async reserve(request: ReserveRequest): Promise<readonly ReservedJob[]> {
    const until = this.#now() + request.waitMs;
    const ended = AbortSignal.any([request.signal, this.#closed.signal]);
    while (!ended.aborted) {
      const jobs = this.#claim(request);
      if (jobs.length > 0 || this.#now() >= until) return jobs;
      await sleep(Math.min(POLL_MS, until - this.#now()), undefined, { signal: ended }).catch(() => {});
    }
    return [];
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const jobs = settlements.map(({ job }) => job);
    return this.#fenced(jobs, (held, { queue }, at) => {
      const settlement = settlements[at]!;
      return settlement.kind === 'ack' ? this.#files.end(queue, held) : this.#release(held, settlement);
    });
  }

  readonly leases: LeaseAbility = {
    renew: async (jobs, leaseMs) =>
      this.#fenced(jobs, (held, { queue, token }) =>
        this.#files.move(queue, held, { ...held, lease: { until: Math.ceil(this.#now() + leaseMs), token } }),
      ),
  };

  readonly clearing: ClearAbility = {
    clear: async (queue) => this.#files.list(queue).filter((ticket) => this.#files.end(queue, ticket)).length,
  };

  async size(queues: readonly string[]): Promise<readonly QueueSize[]> {
    const now = this.#now();
    return queues.map((queue) => {
      const tickets = this.#files.list(queue);
      const pending = tickets.filter((ticket) => isFree(ticket, now));
      const reserved = tickets.filter(({ lease }) => lease && lease.until > now).length;
      return {
        pending: pending.length,
        delayed: tickets.length - pending.length - reserved,
        reserved,
        ...(pending.length > 0 && { oldestPendingAt: Math.min(...pending.map(({ availableAt }) => availableAt)) }),
      };
    });
  }

  close(): void {
    this.#closed.abort();
  }

  #add({ id, queue, body, delayMs, priority = 0, once }: PushEntry): boolean {
    if (!(delayMs <= this.limits.delayMs)) throw new RangeError(`A delay of ${delayMs} ms cannot be kept.`);
    if (priority !== (priority | 0)) throw new RangeError(`A priority of ${priority} cannot be kept.`);
    const availableAt = Math.ceil(this.#now() + Math.max(0, delayMs));
    const order = orderOf(priority, availableAt, nextSequence());
    const ticket = nameOf({ order, availableAt, job: digest(id), attempts: 0, stalls: 0 });
    return this.#files.add({ id, queue, body, ticket, ...(once && { onceMs: once.ttlMs }) });
  }

  #claim({ queues, limit, leaseMs }: ReserveRequest): ReservedJob[] {
    const now = this.#now();
    if (now - this.#sweptAt >= SWEEP_EVERY_MS) {
      this.#sweptAt = now;
      this.#files.sweep();
    }
    const jobs: ReservedJob[] = [];
    for (const queue of queues) {
      for (const ticket of this.#files.list(queue)) {
        if (jobs.length >= limit) return jobs;
        const job = isFree(ticket, now) ? this.#take(queue, ticket, Math.ceil(now + leaseMs)) : undefined;
        if (job) jobs.push(job);
      }
    }
    return jobs;
  }

  #take(queue: string, ticket: Ticket, until: number): ReservedJob | undefined {
    const token = randomBytes(16).toString('hex');
    // A lease that is still there ran out: whoever had the job is gone.
    const stalls = ticket.stalls + (ticket.lease ? 1 : 0);
    const held: Ticket = { ...ticket, attempts: ticket.attempts + 1, stalls, lease: { until, token } };
    if (!this.#files.move(queue, ticket, held)) return undefined;
    const { id, body } = this.#files.read(queue, held);
    const memo = held.memo && this.#files.readMemo(held.memo);
    const { attempts } = held;
    return {
      id,
      queue,
      body,
      priority: priorityOf(held),
      attempts,
      stalls,
      token,
      leasedUntil: until,
      ...(memo && { memo }),
    };
  }

  #release({ lease, memo: before, ...held }: Ticket, { job: { queue, token }, delayMs, countAttempt, memo }: Release) {
    // Under a name of its own, since this is before the fence: where it is refused, it must not have touched what is there.
    if (memo) this.#files.keepMemo(token, memo);
    const after = memo === undefined ? before : memo && token;
    const moved = this.#files.move(
      queue,
      { ...held, ...(before && { memo: before }), ...(lease && { lease }) },
      {
        ...held,
        ...dueAt(held, Math.ceil(this.#now() + Math.max(0, delayMs))),
        attempts: held.attempts - (countAttempt === false ? 1 : 0),
        ...(after && { memo: after }),
      },
    );
    const [kept, unused] = moved ? [after, before] : [before, after];
    if (unused && unused !== kept) this.#files.forgetMemo(unused);
    return moved;
  }

  /** Does `step` to each job that its token still holds, and says of the others that they are lost. */
  #fenced(
    jobs: readonly ReservedJob[],
    step: (held: Ticket, job: ReservedJob, at: number) => boolean,
  ): readonly SettleResult[] {
    const queues = new Set(jobs.map(({ queue }) => queue));
    const held = new Map<string, Ticket>();
    for (const ticket of [...queues].flatMap((queue) => this.#files.list(queue)))
      if (ticket.lease) held.set(ticket.lease.token, ticket);
    const results = jobs.map((job, at): SettleResult => {
      const ticket = held.get(job.token);
      if (ticket?.job !== digest(job.id)) return isCancelled(this.#files, job) ? CANCELLED : LEASE_LOST;
      try {
        return step(ticket, job, at) ? { ok: true } : LEASE_LOST;
      } catch (error) {
        return { ok: false, reason: 'error', error };
      }
    });
    this.#files.sync(queues);
    return results;
  }
}
