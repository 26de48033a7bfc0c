import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { LockStore } from '../contracts/lock-store.js';
import type { ConnectionManager } from './connection-manager.js';

/** Where the locks of one connection's jobs are. */
export interface LockPlace {
  readonly store: LockStore;
  /** The very store of the queue: a lock is taken and given back by the writes that store and end its job, and its owner is the job's id. */
  readonly shared: boolean;
  /** Whether an open transaction of this manager is the one writer of the locks' store: nothing can be written there beside it. */
  readonly busyBy: (manager: unknown) => boolean;
}

/** What an envelope says of its lock. */
type UniqueMark = NonNullable<JobEnvelope['unique']>;

const STORED = 'stored:';

/**
 * Knows where locks of jobs are, and in whose name.
 *
 * In a store of its own a lock has an owner that tells how far its job has come: `sending:ID` for a minute at most, until the job is
 * known to be stored, then `stored:CONNECTION:ID`. From the second one anybody can find out whether there still is a job behind it.
 */
export class JobLocks {
  readonly #places = new Map<string, Map<string | undefined, LockPlace>>();
  /** What ends the locks of jobs that wait and run in this process, by their ids. */
  readonly #running = new Map<string, () => Promise<void>>();

  constructor(
    private readonly connections: ConnectionManager,
    private readonly report: (message: string, error: unknown) => void,
  ) {}

  /** The place, where it is known by now. */
  known(connection: string, via?: string): LockPlace | undefined {
    return this.#places.get(connection)?.get(via);
  }

  /**
   * @param via the connection that the job names for its lock
   * @throws UnknownConnectionError, AbilityMissingError
   */
  async place(connection: string, via?: string): Promise<LockPlace> {
    const known = this.known(connection, via);
    if (known) return known;
    const place = await this.#find(connection, via);
    const places = this.#places.get(connection);
    if (places) places.set(via, place);
    else this.#places.set(connection, new Map([[via, place]]));
    return place;
  }

  /** Gives a lock back that is still its job's. */
  async release(place: LockPlace, key: string, connection: string, id: string): Promise<void> {
    const { store } = place;
    if (place.shared) {
      await store.release(key, id);
      return;
    }
    const stored = storedOwner(connection, id);
    if (await store.release(key, stored)) return;
    // The job may have been quicker than the dispatch that stored it, or as quick: that learns of it between these two.
    if (!(await store.release(key, sendingOwner(id)))) await store.release(key, stored);
  }

  /** The same for a job that a worker has, by its envelope. */
  async releaseOf(mark: UniqueMark, connection: string, id: string): Promise<void> {
    await this.release(await this.place(connection, viaOf(mark)), mark.key, connection, id);
  }

  /**
   * Frees a lock elsewhere whose job has ended without giving it back: its worker was killed, or the job was removed from its queue.
   *
   * @param owner who has it
   * @returns whether it may be free now
   */
  async freeDead(place: LockPlace, key: string, owner: string): Promise<boolean> {
    const job = jobOf(owner);
    if (!job || !this.connections.names().includes(job.connection)) return false;
    try {
      const connection = this.connections.get(job.connection);
      // From there to here is the way of a job.
      if (await connection.outbox?.holds(job.id)) return false;
      const inspection = await connection.inspection();
      if (await inspection.find(job.id)) return false;
    } catch {
      // What cannot be looked into may have it.
      return false;
    }
    return place.store.release(key, owner);
  }

  /** The lock of a job that runs in this process has to be given back by this, when its run is over. */
  runs(id: string, end: () => Promise<void>): void {
    this.#running.set(id, end);
  }

  /** A run in this process is over. Never rejects. */
  async ran(id: string): Promise<void> {
    const end = this.#running.get(id);
    if (!end) return;
    this.#running.delete(id);
    await end().catch((error: unknown) => this.report(`The unique lock of job ${id} was not given back`, error));
  }

  async #find(connection: string, via: string | undefined): Promise<LockPlace> {
    const own = await this.connections.get(connection).backend();
    const { store, backend } = await this.connections.lockHome(via);
    return {
      store,
      shared: backend === own && own.atomic?.has('unlock') === true,
      busyBy: (manager) => backend.queue?.transactions?.joins?.(manager) === true,
    };
  }
}

/** While it is not known whether its job is stored. */
export function sendingOwner(id: string): string {
  return `sending:${id}`;
}

export function storedOwner(connection: string, id: string): string {
  return `${STORED}${connection}:${id}`;
}

/** The job behind an owner, where that tells. A connection's name may have colons, an id has none. */
export function jobOf(owner: string): { readonly connection: string; readonly id: string } | undefined {
  const at = owner.lastIndexOf(':');
  if (!owner.startsWith(STORED) || at < STORED.length) return undefined;
  return { connection: owner.slice(STORED.length, at), id: owner.slice(at + 1) };
}

/** The connection that a mark names. A body from a store may say anything. */
export function viaOf({ via }: { readonly via?: unknown }): string | undefined {
  return typeof via === 'string' ? via : undefined;
}
