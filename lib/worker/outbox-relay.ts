import { randomUUID } from 'node:crypto';
import { PayloadTooLargeError } from '../connections/fit-driver.js';
import { entryOf, OutboxEntryError } from '../connections/outbox-entry.js';
import type { Outbox } from '../connections/outbox.js';
import type { QueueConnection } from '../connections/queue-connection.js';
import { InvalidQueueNameError } from '../connections/queue-name.js';
import { parsedBody } from '../connections/inspected-job.js';
import { AbilityMissingError } from '../contracts/ability-missing-error.js';
import type { LockStore } from '../contracts/lock-store.js';
import type { PushEntry, PushResult, QueueDriver, ReservedJob, Settlement } from '../contracts/queue-driver.js';
import { pause } from '../support/abort.js';
import { backoffMs } from '../support/backoff.js';
import type { Clock } from '../support/clock.js';
import { deferred } from '../support/deferred.js';
import { InvalidOptionError } from '../support/queue-error.js';

export interface RelayServices {
  readonly connection: QueueConnection;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly push: (entries: readonly PushEntry[]) => Promise<readonly PushResult[]>;
  /** A unique lock was held by somebody else when the job got there. */
  readonly skipped: (entry: PushEntry) => void;
  readonly report: (message: string, error: unknown) => void;
}

interface Store {
  readonly queue: QueueDriver;
  readonly locks: LockStore;
}

interface Passing {
  readonly job: ReservedJob;
  readonly entry: PushEntry;
}

/** Rows of one go: so many, and of so many characters as far as the last go tells. */
const ROWS = 1_000;
const CHARACTERS = 16_000_000;
/** Of an outbox whose rows are not known yet. */
const FIRST_ROWS = 100;
/** A go that is under way when the last worker ends may take so long; what it leaves is done again elsewhere. */
const STOP_MS = 2_000;
/** Those that do not lead ask this often whether the place is free. */
const LONGEST_FOLLOW_MS = 5_000;
/** What is wrong with a row itself comes back after this, and then ever later. */
const REFUSED = { firstMs: 10_000, capMs: 600_000 };

/**
 * Sends on what the outbox of a connection holds.
 *
 * Of all processes one relays at a time, or rows would overtake each other: it holds a lock in the outbox's own database for as long as
 * the connection's `retryAfter`, and takes rows for half of that, so that nobody follows it while it has any. A row is pushed, then
 * removed; whoever dies in between leaves a row that is pushed once more, which the store knows by its id and leaves out.
 */
export class OutboxRelay {
  readonly #stopping = new AbortController();
  readonly #owner = randomUUID();
  readonly #lock: string;
  readonly #termMs: number;
  #running: Promise<void> | undefined;
  #limit = FIRST_ROWS;
  #heldAt = -Infinity;

  constructor(private readonly services: RelayServices) {
    this.#lock = `relay ${services.connection.name}`;
    this.#termMs = services.connection.leaseMs;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the go that is under way has ended, at the latest after two seconds. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const late = deferred<void>();
    const cancel = this.services.clock.after(STOP_MS, late.resolve);
    await Promise.race([this.#running, late.promise]);
    cancel();
  }

  get #signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { connection, report } = this.services;
    for (let failures = 0; !this.#signal.aborted; failures += 1) {
      try {
        const store = await this.#open();
        while (!this.#signal.aborted) {
          if (await store.locks.acquire(this.#lock, this.#owner, this.#termMs)) await this.#lead(store);
          failures = 0;
          await this.#nap(Math.min(LONGEST_FOLLOW_MS, this.#termMs / 4) * (0.5 + Math.random() / 2));
        }
      } catch (error) {
        if (this.#signal.aborted) return;
        report(`The outbox of the [${connection.name}] connection cannot be read; trying again`, error);
        await this.#nap(backoffMs(failures, 100, 3_000));
      }
    }
  }

  async #open(): Promise<Store> {
    const { outbox } = this.services;
    await outbox.check();
    const { queue, locks } = await outbox.backend();
    if (!queue?.leases || !locks) throw new AbilityMissingError('database', 'leases or locks');
    return { queue, locks };
  }

  /** Until somebody else leads, or the end. */
  async #lead(store: Store): Promise<void> {
    const { connection, clock } = this.services;
    this.#heldAt = clock.elapsed();
    try {
      while (!this.#signal.aborted && (await this.#holds(store))) {
        const jobs = await store.queue.reserve({
          queues: [connection.name],
          limit: this.#limit,
          leaseMs: this.#termMs / 2,
          waitMs: this.#termMs / 4,
          signal: this.#signal,
        });
        if (jobs.length > 0 && !(await this.#pass(store, jobs))) return;
      }
    } finally {
      if (this.#signal.aborted) await store.locks.release(this.#lock, this.#owner).catch(() => false);
    }
  }

  /** Still the one that relays; asked of the store as often as is needed to stay it. */
  async #holds({ locks }: Store): Promise<boolean> {
    const now = this.services.clock.elapsed();
    if (now - this.#heldAt < this.#termMs / 4) return true;
    const [held] = await locks.extend([{ key: this.#lock, owner: this.#owner, ttlMs: this.#termMs }]);
    if (held) this.#heldAt = now;
    return held === true;
  }

  /** Pushes and removes, in order, for as long as it takes. False: somebody else does it. */
  async #pass(store: Store, jobs: readonly ReservedJob[]): Promise<boolean> {
    const { connection, report } = this.services;
    let left = await this.#readable(store, jobs);
    for (let failures = 0; left.length > 0; failures += 1) {
      if (!(await this.#holds(store))) {
        await this.#leave(store, left);
        return false;
      }
      // What a slow store left is taken on before its lease ends.
      if (failures > 0) await store.queue.leases!.renew(jobsOf(left), this.#termMs / 2);
      const { settlements, again, error } = this.#judged(left, await this.#pushed(left));
      if (settlements.length > 0) await this.#settle(store, settlements);
      left = again;
      if (left.length === 0) break;
      report(`The [${connection.name}] connection does not take what its outbox holds; trying again`, error);
      await this.#nap(Math.min(this.#termMs / 8, backoffMs(failures, 50, 3_000)));
      if (this.#signal.aborted) {
        await this.#leave(store, left);
        return false;
      }
    }
    return true;
  }

  async #readable(store: Store, jobs: readonly ReservedJob[]): Promise<Passing[]> {
    const now = this.services.clock.now();
    const passing: Passing[] = [];
    const unreadable: Settlement[] = [];
    let characters = 0;
    for (const job of jobs) {
      characters += job.body.length;
      try {
        passing.push({ job, entry: entryOf(job, now) });
      } catch (error) {
        if (!(error instanceof OutboxEntryError)) throw error;
        this.services.report(error.message, error.cause ?? error);
        unreadable.push(later(job));
      }
    }
    this.#limit = Math.max(1, Math.min(ROWS, Math.floor(CHARACTERS / (characters / jobs.length))));
    if (unreadable.length > 0) await this.#settle(store, unreadable);
    return passing;
  }

  /** Never rejects: a push that failed as a whole has failed for each. */
  async #pushed(passing: readonly Passing[]): Promise<readonly PushResult[]> {
    try {
      return await this.services.push(passing.map(({ entry }) => entry));
    } catch (error) {
      return passing.map((): PushResult => ({ stored: false, reason: 'error', error }));
    }
  }

  #judged(
    passing: readonly Passing[],
    results: readonly PushResult[],
  ): { readonly settlements: Settlement[]; readonly again: Passing[]; readonly error: unknown } {
    const { connection, report, skipped } = this.services;
    const settlements: Settlement[] = [];
    const again: Passing[] = [];
    let last: unknown;
    passing.forEach((one, index) => {
      const { job, entry } = one;
      const result = results[index]!;
      if (result.stored || result.reason !== 'error') {
        settlements.push({ kind: 'ack', job });
        if (!result.stored && result.reason === 'locked' && result.by !== job.id) skipped(entry);
      } else if (isOfTheRow(result.error)) {
        const { displayName, name } = parsedBody(entry.body) as { displayName?: unknown; name?: unknown };
        const called = [displayName, name].find((text) => typeof text === 'string') ?? 'A job';
        report(
          `${String(called)} [${job.id}] is refused by the [${connection.name}] connection and stays in its outbox`,
          result.error,
        );
        settlements.push(later(job));
      } else {
        last = result.error;
        again.push(one);
      }
    });
    return { settlements, again, error: last };
  }

  /** @throws what kept the database from taking them: these rows come again when their lease has run out */
  async #settle({ queue }: Store, settlements: readonly Settlement[]): Promise<void> {
    for (const result of await queue.settle(settlements)) {
      if (!result.ok && result.reason === 'error') throw result.error;
    }
  }

  /** Back to their place in the order, which a release would not keep. */
  async #leave({ queue }: Store, passing: readonly Passing[]): Promise<void> {
    await queue.leases!.renew(jobsOf(passing), 1).catch(() => []);
  }

  async #nap(ms: number): Promise<void> {
    await pause(ms, this.#signal, this.services.clock);
  }
}

function jobsOf(passing: readonly Passing[]): ReservedJob[] {
  return passing.map(({ job }) => job);
}

/** No waiting of the others mends it. */
function isOfTheRow(error: unknown): boolean {
  return (
    error instanceof PayloadTooLargeError ||
    error instanceof InvalidOptionError ||
    error instanceof InvalidQueueNameError
  );
}

function later(job: ReservedJob): Settlement {
  const { firstMs, capMs } = REFUSED;
  return { kind: 'release', job, delayMs: Math.min(capMs, firstMs * 2 ** Math.min(20, job.attempts - 1)) };
}
