import { jobOf, sendingOwner, storedOwner, type JobLocks, type LockPlace } from '../connections/job-locks.js';
import type { UniquePolicy } from '../job/lock-policies.js';
import type { Clock } from '../support/clock.js';
import { InvalidOptionError, type QueueError } from '../support/queue-error.js';
import type { Prepared, UniqueClaim } from './prepared.js';

/** For so long is a lock taken while it is not known yet whether its job is stored: who is killed between blocks nobody for longer. */
const SENDING_MS = 60_000;
/** A lock that was taken longer ago is asked for anew before it is counted on. */
const FRESH_MS = SENDING_MS / 2;
/** The lock of a job that runs in this process is extended so often. */
const BEAT_MS = SENDING_MS / 3;

/** The open transaction around a dispatch. */
export interface Around {
  /** Its EntityManager. */
  readonly manager: unknown;
  /** The job is left to its commit, in memory or in an outbox. */
  readonly waits: boolean;
  /** Somebody tells how it ends. */
  readonly known: boolean;
}

/** Lets one job of a kind through at a time. */
export class UniqueGate {
  /** Keys of jobs that wait for a transaction or are stored within it, by its EntityManager: another connection cannot see them. */
  readonly #promised = new WeakMap<object, Map<string, string>>();

  constructor(
    private readonly locks: JobLocks,
    private readonly clock: Clock,
    private readonly report: (message: string, error: unknown) => void,
  ) {}

  /** The dispatch with its claim; `undefined` where another job has the lock. */
  async enter(given: Prepared, unique: UniquePolicy, around?: Around): Promise<Prepared | undefined> {
    const { key, ttlMs } = unique;
    const { id } = given.receipt;
    const keys = around && this.#promisedIn(around.manager);
    if (keys?.has(key)) return undefined;
    const promised = around?.known ? keys : undefined;
    // Noted before anything is waited for: of two dispatches at once one is the first.
    promised?.set(key, id);
    let entered: Prepared | undefined;
    try {
      entered = await given.connection.inTime(this.#enter(given, unique, around, promised));
    } finally {
      if (!entered) promised?.delete(key);
    }
    const claim = entered?.claim;
    if (claim?.state === 'running') this.#keepWhileRunning(claim.place, key, id, ttlMs);
    return entered;
  }

  /** At the commit that a job has waited for: the dispatch as it is to be sent; `undefined` where the lock is somebody else's by now. */
  async committing(prepared: Prepared, claim: UniqueClaim): Promise<Prepared | undefined> {
    if (claim.state === 'late' && !claim.place.shared) return this.enter(prepared, claim.unique);
    if (claim.state !== 'sending' || this.clock.elapsed() - claim.at < FRESH_MS) return prepared;
    const { store } = claim.place;
    const still = store.acquire(claim.unique.key, sendingOwner(prepared.receipt.id), SENDING_MS);
    return (await prepared.connection.inTime(still)) ? prepared : undefined;
  }

  /** The job is stored. Never rejects: so it is, whatever becomes of the lock. */
  async stored(prepared: Prepared, claim: UniqueClaim): Promise<void> {
    if (claim.place.shared || claim.state === 'push' || claim.state === 'running') return;
    await this.#confirm(prepared, claim).catch((error: unknown) =>
      this.report(
        `The unique lock of ${prepared.receipt.id} could not be confirmed; it ends a minute after the dispatch`,
        error,
      ),
    );
  }

  /** The job is not stored, or will never be. What may have been stored keeps its minute. Never rejects. */
  async dropped(prepared: Prepared, claim: UniqueClaim, error?: unknown): Promise<void> {
    const { id } = prepared.receipt;
    this.over(claim);
    if (claim.state === 'running') return this.locks.ran(id);
    if (claim.state === 'push' || claim.state === 'late') return;
    if ((error as QueueError | undefined)?.outcome === 'unknown') return;
    const owner = claim.place.shared ? id : sendingOwner(id);
    await claim.place.store.release(claim.unique.key, owner).catch((why: unknown) => {
      this.report(`The unique lock of ${id} was not given back; it ends a minute after the dispatch`, why);
    });
  }

  /** The transaction around it is over. */
  over({ promised, unique }: UniqueClaim): void {
    promised?.delete(unique.key);
  }

  /** Whether the lock that stopped a push was a dead job's, and the push may be tried again. */
  async mayRetry({ place, unique }: UniqueClaim, by: string | undefined): Promise<boolean> {
    return by !== undefined && jobOf(by) !== undefined && this.locks.freeDead(place, unique.key, by);
  }

  async #enter(
    given: Prepared,
    unique: UniquePolicy,
    around: Around | undefined,
    promised: Map<string, string> | undefined,
  ): Promise<Prepared | undefined> {
    const { connection, outgoing, receipt } = given;
    const { storeless } = await connection.queue();
    // What forgets its jobs needs no lock for them.
    if (storeless === 'discards') return given;
    const { key, ttlMs, via } = unique;
    const place = await this.locks.place(connection.name, via);
    const claimed = (state: UniqueClaim['state']): Prepared => {
      const claim: UniqueClaim = { unique, place, state, at: this.clock.elapsed(), promised };
      if (!place.shared) return { ...given, claim };
      const entry = { ...outgoing.entry, lock: { key, owner: receipt.id, ttlMs } };
      return { ...given, outgoing: { ...outgoing, entry }, claim };
    };
    if (place.shared && !around?.waits) return claimed('push');
    if (around && place.busyBy(around.manager)) {
      if (!around.waits) throw outOfReach(outgoing.job.constructor.name, connection.name);
      return (await place.store.owner(key)) === undefined ? claimed('late') : undefined;
    }
    const owner = place.shared ? receipt.id : sendingOwner(receipt.id);
    if (!(await this.#take(place, key, owner, Math.min(ttlMs, SENDING_MS)))) return undefined;
    if (storeless) return claimed('running');
    return claimed(place.shared ? 'early' : 'sending');
  }

  async #take(place: LockPlace, key: string, owner: string, ttlMs: number): Promise<boolean> {
    const { store } = place;
    if (await store.acquire(key, owner, ttlMs)) return true;
    const holder = await store.owner(key);
    if (holder !== undefined && !(await this.locks.freeDead(place, key, holder))) return false;
    return store.acquire(key, owner, ttlMs);
  }

  async #confirm({ connection, receipt: { id } }: Prepared, claim: UniqueClaim): Promise<void> {
    const {
      place: { store },
      unique: { key, ttlMs },
    } = claim;
    const sending = sendingOwner(id);
    const old = claim.state === 'late' || this.clock.elapsed() - claim.at > FRESH_MS;
    if (old && !(await store.acquire(key, sending, SENDING_MS))) return;
    const stored = storedOwner(connection.name, id);
    const before = await store.replace(key, stored, ttlMs);
    if (before === sending || before === stored) return;
    // The job was quicker: it has ended, and given the lock back. Whoever took it since has it again.
    if (before === undefined) await store.release(key, stored);
    else await store.replace(key, before, jobOf(before) ? ttlMs : SENDING_MS);
  }

  /** A process that is killed takes its jobs with it, so their locks end soon after it. */
  #keepWhileRunning({ store }: LockPlace, key: string, id: string, ttlMs: number): void {
    const owner = sendingOwner(id);
    const until = this.clock.elapsed() + ttlMs;
    let stop = (): void => {};
    const beat = (): void => {
      stop = this.clock.after(BEAT_MS, () => {
        const left = Math.min(until - this.clock.elapsed(), SENDING_MS);
        if (left <= 0) return;
        beat();
        store.extend([{ key, owner, ttlMs: left }]).catch((error: unknown) => {
          this.report(`The unique lock of ${id} could not be extended; trying again`, error);
        });
      });
    };
    beat();
    this.locks.runs(id, async () => {
      stop();
      await store.release(key, owner);
    });
  }

  #promisedIn(manager: unknown): Map<string, string> | undefined {
    if (typeof manager !== 'object' || manager === null) return undefined;
    let keys = this.#promised.get(manager);
    if (!keys) this.#promised.set(manager, (keys = new Map()));
    return keys;
  }
}

/** The lock is in the one-writer store that the open transaction writes, and the queue is not. */
function outOfReach(job: string, connection: string): InvalidOptionError {
  return new InvalidOptionError(
    `${job} is unique, and its lock is in the SQLite file that the open transaction writes, while the [${connection}] queue is elsewhere: the lock cannot be taken now. Dispatch it afterCommit(), or keep the locks elsewhere (the option locks, or uniqueVia).`,
  );
}
