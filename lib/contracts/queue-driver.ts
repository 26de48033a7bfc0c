import type { FailedJob } from './failed-job-store.js';
import type { BatchProgress, MemberEnd } from './batch-store.js';
import type { DriverLimits } from './driver-limits.js';

/**
 * Moves text between queues and workers. Every verb takes and returns many: one job is a batch of one. No verb opens a body.
 *
 * Abilities (`exchange`, `leases`, …) are present or absent. What a driver cannot do is made up in one place, `fitDriver`, refused at
 * boot, or raises `AbilityMissingError`; nowhere else does code ask which driver it has.
 */
export interface QueueDriver {
  readonly limits: DriverLimits;
  /** Answers are aligned with the entries. An id whose row still lives is a no-op (`exists`), not an error; one bad entry does not sink the others. */
  push(entries: readonly PushEntry[]): Promise<readonly PushResult[]>;
  /**
   * Up to `limit` jobs, earlier queues first; within one queue by priority (higher first), time available, then sequence of the push.
   * Waits up to `waitMs` for the first one. An abort ends the wait and returns what is in hand, it never loses a job and never rejects.
   */
  reserve(request: ReserveRequest): Promise<readonly ReservedJob[]>;
  /** Ends or releases reservations. Each is fenced by its token: a refusal is an answer, and nothing of that settlement is written. */
  settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]>;
  /** Sizes aligned with the queues. What cannot be known is `undefined`, never a made-up 0. */
  size(queues: readonly string[]): Promise<readonly QueueSize[]>;
  /** `'receives'` where attempts count deliveries that no worker may have seen (SQS). Default: `'exact'`. */
  readonly counting?: 'exact' | 'receives';
  /**
   * Keeps nothing: what is pushed runs in this process, or never. Such a push raises no queue events and may take as long as the job does,
   * so no dispatch deadline applies. `'discards'`: it never runs.
   */
  readonly storeless?: true | 'discards';
  readonly exchange?: ExchangeAbility;
  readonly leases?: LeaseAbility;
  readonly clearing?: ClearAbility;
  readonly inspection?: InspectAbility;
  readonly transactions?: TransactAbility;
}

export interface PushEntry {
  /** A uuid. */
  readonly id: string;
  readonly queue: string;
  /** Opaque text. */
  readonly body: string;
  /** Milliseconds from the store's now until the job may be taken; 0 is at once. */
  readonly delayMs: number;
  /** Higher first. Default 0. */
  readonly priority?: number;
  /** A unique lock, taken in the same write as the push. Held by another owner: nothing is stored and the answer is `locked`. */
  readonly lock?: { readonly key: string; readonly owner: string; readonly ttlMs: number };
  /**
   * Remember the id this long, past ack and clear, so that a late repeat under `once` stays a no-op. A push without it looks at living
   * rows alone: a job may be retried by hand under its own id.
   */
  readonly once?: { readonly ttlMs: number };
  /** Epoch ms when the job is really due, for drivers that delay in hops. */
  readonly dueAt?: number;
  readonly group?: string;
  readonly dedupe?: string;
  /** What the body stands for, where nothing could be written down: a function. Given only to drivers that run it in this process. */
  readonly live?: object;
}

export type PushResult =
  | { readonly stored: true }
  | {
      readonly stored: false;
      readonly reason: 'exists' | 'locked' | 'error';
      /** The owner that holds the lock. */
      readonly by?: string;
      readonly error?: unknown;
    };

export interface ReserveRequest {
  readonly queues: readonly string[];
  readonly limit: number;
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** A reservation: data, no methods. */
export interface ReservedJob {
  readonly id: string;
  readonly queue: string;
  readonly body: string;
  readonly priority: number;
  /** Pick-ups, this one included, less those a release gave back. */
  readonly attempts: number;
  /** Pick-ups that ended in a lease that ran out. */
  readonly stalls: number;
  /** 128 random bits, new with every reservation. */
  readonly token: string;
  /** Epoch ms by the store's clock. */
  readonly leasedUntil: number;
  /** What the last release left for the next attempt. */
  readonly memo?: string;
  /** From `PushEntry.live`, where nothing was stored. */
  readonly live?: object;
}

export type Settlement =
  | { readonly kind: 'ack'; readonly job: ReservedJob; readonly effects?: Effects }
  | {
      readonly kind: 'release';
      readonly job: ReservedJob;
      readonly delayMs: number;
      /** `false` gives the pick-up back, as if this attempt had not been. Default true. */
      readonly countAttempt?: boolean;
      /** State between attempts that is not the body. Absent keeps what is there; '' clears it. */
      readonly memo?: string;
      readonly effects?: Effects;
    };

/**
 * What follows an attempt. Applied behind the fence: in the same write as the settlement where `Backend.atomic` names the kind, else
 * kept in that write as a record and applied idempotently afterwards. A refused settlement has no effects.
 */
export interface Effects {
  readonly push?: readonly PushEntry[];
  readonly unlock?: readonly { readonly key: string; readonly owner: string }[];
  readonly member?: MemberEnd;
  readonly failure?: FailedJob;
}
export type EffectKind = keyof Effects;

export type SettleResult =
  | {
      readonly ok: true;
      /**
       * Where the settlement carried a member's end that was counted in its own write: how its batch stands now. May be absent where
       * that end has no consequence: it neither started, finished nor cancelled the batch, and no callback is due.
       */
      readonly progress?: BatchProgress;
    }
  | {
      readonly ok: false;
      /** `lease-lost`: someone else has the job, or it is gone. `cancelled`: it was removed by hand. `error`: the store failed; nothing was written as far as known. */
      readonly reason: 'lease-lost' | 'cancelled' | 'error';
      readonly error?: unknown;
    };

export interface QueueSize {
  /** Due and free. */
  readonly pending: number;
  readonly delayed?: number;
  readonly reserved?: number;
  /** Epoch ms since when the oldest pending job could have been taken. */
  readonly oldestPendingAt?: number;
}

/** Hands in what is finished and takes what is due in one trip and one commit. Never waits; `request.waitMs` is not looked at. */
export type ExchangeAbility = (
  settlements: readonly Settlement[],
  request: ReserveRequest,
) => Promise<{ readonly settled: readonly SettleResult[]; readonly jobs: readonly ReservedJob[] }>;

export interface LeaseAbility {
  /** Makes each lease end `leaseMs` from now. Fenced by token, aligned by index. */
  renew(jobs: readonly ReservedJob[], leaseMs: number): Promise<readonly SettleResult[]>;
}

export interface ClearAbility {
  /** Removes every job of the queue, reserved ones too, and gives their unique locks back. `undefined`: the store cannot count them. */
  clear(queue: string): Promise<number | undefined>;
}

export type JobState = 'pending' | 'delayed' | 'reserved';

/** A job as the store has it. */
export interface StoredJob {
  readonly id: string;
  readonly queue: string;
  readonly body: string;
  readonly priority: number;
  readonly attempts: number;
  readonly stalls: number;
  readonly state: JobState;
  /** Epoch ms. */
  readonly availableAt: number;
  readonly createdAt?: number;
  readonly leasedUntil?: number;
}

export interface InspectAbility {
  /** A page in claim order (reserved ones by the end of their lease). `next` is the cursor of the page behind it; absent on the last. */
  page(
    queue: string,
    state: JobState,
    options: { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly jobs: readonly StoredJob[]; readonly next?: string }>;
  find(id: string): Promise<StoredJob | undefined>;
  /** Reserved jobs too: the holder's next renew or settlement is answered with `cancelled`. */
  remove(id: string): Promise<boolean>;
  /** The names of all queues that have jobs. */
  queues(): Promise<readonly string[]>;
}

export interface TransactAbility {
  /** A push that commits or rolls back with the caller's own transaction. */
  within(manager: unknown): { push(entries: readonly PushEntry[]): Promise<readonly PushResult[]> };
  /**
   * Whether a plain push inside an open transaction of this manager goes through `within`: where the store has one writer, which that
   * transaction is. Default: no.
   */
  joins?(manager: unknown): boolean;
  /** Whether `within` takes this manager: it is one of the store's own database. */
  covers?(manager: unknown): boolean;
  /** What was pushed into these queues within a transaction has just been committed: whoever waits for jobs may be told. */
  committed?(queues: ReadonlySet<string>): void;
}
