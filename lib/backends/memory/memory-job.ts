import type { JobState, PushEntry, ReservedJob, StoredJob } from '../../contracts/queue-driver.js';

/** The queue that a job lives in. */
export interface JobHome {
  readonly name: string;
  add(job: MemoryJob, now: number): void;
  renew(job: MemoryJob, leasedUntil: number): void;
  remove(job: MemoryJob): void;
  refresh(now: number): void;
}

/** A job as the memory store keeps it. */
export class MemoryJob {
  readonly id: string;
  readonly body: string;
  readonly priority: number;
  readonly lock: { readonly key: string; readonly owner: string } | undefined;
  /** 'gone' once it was acked, cleared or removed; what still points at it passes it over. */
  state: JobState | 'gone' = 'pending';
  availableAt: number;
  attempts = 0;
  stalls = 0;
  token = '';
  leasedUntil = 0;
  memo: string | undefined = undefined;
  /** Where it stands in the one heap it may be in; -1 in none. */
  slot = -1;

  constructor(
    entry: PushEntry,
    readonly queue: JobHome,
    readonly seq: number,
    readonly createdAt: number,
  ) {
    this.id = entry.id;
    this.body = entry.body;
    this.priority = entry.priority ?? 0;
    this.lock = entry.lock;
    this.availableAt = createdAt + Math.max(0, entry.delayMs);
  }

  reserved(): ReservedJob {
    return {
      id: this.id,
      queue: this.queue.name,
      body: this.body,
      priority: this.priority,
      attempts: this.attempts,
      stalls: this.stalls,
      token: this.token,
      leasedUntil: this.leasedUntil,
      memo: this.memo,
    };
  }

  stored(state: JobState): StoredJob {
    return {
      id: this.id,
      queue: this.queue.name,
      body: this.body,
      priority: this.priority,
      attempts: this.attempts,
      stalls: this.stalls,
      state,
      availableAt: this.availableAt,
      createdAt: this.createdAt,
      leasedUntil: state === 'reserved' ? this.leasedUntil : undefined,
    };
  }
}

/** Within a priority: by the time available, then by the sequence of the pushes. */
export function availableFirst(a: MemoryJob, b: MemoryJob): boolean {
  return a.availableAt < b.availableAt || (a.availableAt === b.availableAt && a.seq < b.seq);
}

export function leaseEndsFirst(a: MemoryJob, b: MemoryJob): boolean {
  return a.leasedUntil < b.leasedUntil || (a.leasedUntil === b.leasedUntil && a.seq < b.seq);
}
