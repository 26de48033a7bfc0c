import type { JobLocks } from '../connections/job-locks.js';
import { firstMark } from '../job/lock-key.js';
import type { DebouncePolicy } from '../job/lock-policies.js';
import type { Clock } from '../support/clock.js';
import type { Prepared } from './prepared.js';

/** A token outlives its job's delay by far: a worker that comes late still finds it. */
const LEAST_TTL_MS = 300_000;
/** Of so many kinds it is known who came last: enough for all that are on their way at once. */
const KINDS = 1_000;

/** Lets every job through, and makes the last of a burst the one that runs. */
export class DebounceGate {
  /** Who came last here, by key: answers of a store with several connections overtake each other. */
  readonly #last = new Map<string, string>();

  constructor(
    private readonly locks: JobLocks,
    private readonly clock: Clock,
    private readonly report: (message: string, error: unknown) => void,
  ) {}

  /** The dispatch, at once where its burst has lasted long enough. */
  async enter(given: Prepared, debounce: DebouncePolicy): Promise<Prepared> {
    const { key, maxWaitMs } = debounce;
    this.#last.delete(key);
    this.#last.set(key, given.receipt.id);
    if (this.#last.size > KINDS) this.#last.delete(this.#last.keys().next().value!);
    if (maxWaitMs === undefined) return given;
    const since = await given.connection.inTime(this.#since(given, debounce));
    if (since === undefined || this.clock.now() - since < maxWaitMs) return given;
    const { outgoing } = given;
    return {
      ...given,
      outgoing: { ...outgoing, entry: { ...outgoing.entry, delayMs: 0 }, delaySeconds: 0 },
      due: true,
    };
  }

  /**
   * The job is stored and takes the place of those before it. Only now: whoever is killed between lets one run too many, and loses none.
   * Never rejects.
   */
  async stored(prepared: Prepared, debounce: DebouncePolicy): Promise<void> {
    await this.take(prepared, debounce).catch((error: unknown) =>
      this.report(
        `${prepared.receipt.id} is stored, but did not take the place of those before it: they run too`,
        error,
      ),
    );
  }

  /** The same for one whose place may not be left in doubt. @throws the error of the store that did not take it */
  async take({ connection, receipt, outgoing, due }: Prepared, debounce: DebouncePolicy): Promise<void> {
    const { key, maxWaitMs, via } = debounce;
    const { store } = await this.locks.place(connection.name, via);
    const ttlMs = Math.max(10 * Math.max(debounce.delayMs, outgoing.entry.delayMs), LEAST_TTL_MS);
    const before = await store.replace(key, receipt.id, ttlMs);
    // One that came behind this one was quicker: the place is its own.
    if (before !== undefined && before !== receipt.id && before === this.#last.get(key))
      await store.replace(key, before, ttlMs);
    if (maxWaitMs === undefined) return;
    if (due) await store.forceRelease(firstMark(key));
    // Kept for longer than it is needed, or a long burst would forget when it began.
    else await store.acquire(firstMark(key), String(this.clock.now()), Math.max(ttlMs, 2 * maxWaitMs));
  }

  /** Whether nothing can be written to the tokens while a transaction is open. */
  async busyBy(given: Prepared, { via }: DebouncePolicy, manager: unknown): Promise<boolean> {
    return (await this.locks.place(given.connection.name, via)).busyBy(manager);
  }

  async #since({ connection }: Prepared, { key, via }: DebouncePolicy): Promise<number | undefined> {
    const { store } = await this.locks.place(connection.name, via);
    const first = await store.owner(firstMark(key));
    return first === undefined ? undefined : Number(first);
  }
}
