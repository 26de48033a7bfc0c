import { AbilityMissingError } from '../contracts/ability-missing-error.js';
import type { Backend } from '../contracts/backend.js';
import type { BatchStore } from '../contracts/batch-store.js';
import type { ControlStore } from '../contracts/control-store.js';
import type { FailedJobStore } from '../contracts/failed-job-store.js';
import type { LockStore } from '../contracts/lock-store.js';
import type { RateLimiterStore } from '../contracts/rate-limiter-store.js';
import { QueueError } from '../support/queue-error.js';
import type { ResolvedConnections, ResolvedStore } from './connection-config.js';
import { nullFailedStore } from './null-failed-store.js';
import type { QueueConnection } from './queue-connection.js';

/** What a backend may keep besides queues. */
export interface Stores {
  readonly failed: FailedJobStore;
  readonly batches: BatchStore;
  readonly locks: LockStore;
  readonly limits: RateLimiterStore;
  readonly control: ControlStore;
}
export type StoreKind = keyof Stores;

interface Home<K extends StoreKind> {
  /** Absent for the null store. */
  readonly backend?: Backend;
  readonly store: Stores[K];
}

const WORDS: Readonly<Record<StoreKind, string>> = {
  failed: 'failed jobs',
  batches: 'batches',
  locks: 'locks',
  limits: 'rate limits',
  control: 'pause and restart marks',
};

/** Finds where each kind of record is kept, when it is first asked for. */
export class StoreHomes {
  readonly #homes = new Map<StoreKind, Promise<Home<StoreKind>>>();
  readonly #found = new Map<StoreKind, Backend>();
  #warned = false;

  /** @param alone makes the backend of a store that has no connection of its own */
  constructor(
    private readonly config: ResolvedConnections,
    private readonly connection: (name: string) => QueueConnection,
    private readonly alone: (driver: string, options: Readonly<Record<string, unknown>>) => Promise<Backend>,
    private readonly warn: (message: string) => void,
  ) {}

  store<K extends StoreKind>(kind: K): Promise<Stores[K]> {
    let home = this.#homes.get(kind) as Promise<Home<K>> | undefined;
    if (!home) {
      home = this.#look(kind).then((found) => {
        if (found.backend) this.#found.set(kind, found.backend);
        return found;
      });
      this.#homes.set(kind, home);
      // What failed once, such as a missing package, may be mended by the next call.
      home.catch(() => this.#homes.delete(kind));
    }
    return home.then(({ store }) => store);
  }

  /** A named connection's own store. @throws AbilityMissingError */
  async of<K extends StoreKind>(name: string, kind: K): Promise<Stores[K]> {
    const connection = this.connection(name);
    return has(await connection.backend(), kind, connection.driver).store;
  }

  /** The backend that keeps a kind, once it has been asked for. */
  backend(kind: StoreKind): Backend | undefined {
    return this.#found.get(kind);
  }

  /**
   * Looks whether these stores can be used. One that is away for the moment is no reason to complain.
   *
   * @throws QueueError for what no waiting mends: a missing package, missing tables
   */
  async check(kinds: readonly StoreKind[], except: Backend | undefined): Promise<void> {
    for (const kind of kinds) {
      try {
        await this.store(kind);
        const backend = this.backend(kind);
        if (backend !== except) await backend?.check?.();
      } catch (error) {
        if (!(error instanceof QueueError) || error.transient) continue;
        const why =
          this.#place(kind).kind === 'own'
            ? `since the default connection is [${this.config.default}]: another one is named by default or QUEUE_CONNECTION`
            : `as the option ${kind === 'control' ? 'locks' : kind} says`;
        error.message += ` That is where ${WORDS[kind]} are kept, ${why}.`;
        throw error;
      }
    }
  }

  async #look<K extends StoreKind>(kind: K): Promise<Home<K>> {
    const place = this.#place(kind);
    if (place.kind === 'null') return { store: nullFailedStore as Stores[K] };
    if (place.kind === 'driver') return has(await this.alone(place.driver, place.options), kind, place.driver);
    if (place.kind === 'connection') {
      const connection = this.connection(place.connection);
      return has(await connection.backend(), kind, connection.driver);
    }
    for (const name of this.#candidates(kind)) {
      const backend = await this.connection(name).backend();
      const store = backend[kind];
      if (store) return { backend, store: store as Stores[K] };
    }
    if (!this.#warned) {
      this.#warned = true;
      this.warn(
        `The [${this.config.default}] connection cannot keep ${WORDS[kind]}, and there is no database connection: what a store would keep stays in the memory of this process. Configure a database connection to share and keep it.`,
      );
    }
    return has(await this.alone('memory', { driver: 'memory' }), kind, 'memory');
  }

  #place(kind: StoreKind): ResolvedStore {
    if (kind === 'failed') return this.config.failed;
    if (kind === 'batches') return this.config.batching;
    return kind === 'control' ? { kind: 'own' } : this.config.locks;
  }

  /** The default connection, then the first database connection; marks go with the locks where those were given a place. */
  #candidates(kind: StoreKind): Set<string> {
    const { locks, connections } = this.config;
    const names = new Set<string>();
    if (kind === 'control' && locks.kind === 'connection') names.add(locks.connection);
    names.add(this.config.default);
    for (const { name, driver } of connections.values()) {
      if (driver !== 'database') continue;
      names.add(name);
      break;
    }
    return names;
  }
}

function has<K extends StoreKind>(backend: Backend, kind: K, driver: string): Home<K> {
  const store = backend[kind];
  if (!store) throw new AbilityMissingError(driver, `store for ${WORDS[kind]}`);
  return { backend, store: store as Stores[K] };
}
