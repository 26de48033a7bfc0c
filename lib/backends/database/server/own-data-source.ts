import { deferred } from '../../../support/deferred.js';
import { loadPeer, MissingPackageError } from '../../../support/load-peer.js';
import { StoreClosedError } from '../../store-state-errors.js';
import type { OwnPool, ServerDialect } from './dialect.js';
import type { OwnLink } from './link.js';

/** What is used of TypeORM's DataSource. */
interface OwnDataSourceLike {
  readonly isInitialized: boolean;
  initialize(): Promise<unknown>;
  destroy(): Promise<void>;
  createQueryRunner(mode?: 'master'): { connect(): Promise<unknown>; release(): Promise<void> };
}

const PACKAGES = {
  postgres: { name: 'pg', install: 'npm i typeorm pg' },
  mysql: { name: 'mysql2', install: 'npm i typeorm mysql2' },
} as const;

/** How long a connection may take from the first packet to its settings; a way of two seconds takes a dozen of them. */
const OPEN_MS = 20_000;
/** How long a server that does not answer may hold up the end of the application. */
const CLOSE_MS = 1_000;

/**
 * A TypeORM DataSource of the queue's own, beside the application's: its pool cannot be used up by the application's queries, nor the
 * application's by ours. Made and connected with the first link; connected anew after a server that was away.
 */
export class OwnDataSource {
  #dataSource: Promise<OwnDataSourceLike> | undefined;
  #connecting: Promise<void> | undefined;
  readonly #links = new Set<OwnLink>();
  #closed = false;

  constructor(
    private readonly options: Readonly<Record<string, unknown>>,
    private readonly dialect: ServerDialect,
    private readonly own: OwnPool,
  ) {}

  /**
   * A server that takes a connection and then says nothing is given up after a while: with it goes the pool, since nothing else ends
   * what waits in it.
   *
   * @throws MissingPackageError; the server's own error where it cannot be reached
   */
  async connect(): Promise<OwnLink> {
    const pool = this.#dataSource;
    const opening = this.#open();
    const link = await within(opening, OPEN_MS);
    if (link !== undefined) return link;
    opening.then(
      (late) => {
        late.destroy(new Error('it came too late'));
        late.release();
      },
      () => {},
    );
    if (this.#dataSource === pool || pool === undefined) {
      this.#dataSource = undefined;
      this.#connecting = undefined;
    }
    throw Object.assign(new Error(`the server did not answer within ${OPEN_MS} ms`), { code: 'ETIMEDOUT' });
  }

  async #open(): Promise<OwnLink> {
    const dataSource = await (this.#dataSource ??= this.#make());
    if (!dataSource.isInitialized) {
      this.#connecting ??= this.#initialize(dataSource);
      const connecting = this.#connecting;
      await connecting.finally(() => {
        if (this.#connecting === connecting) this.#connecting = undefined;
      });
    }
    const runner = dataSource.createQueryRunner('master');
    let released = false;
    let own: OwnLink | undefined;
    const release = (): void => {
      if (released) return;
      released = true;
      if (own) this.#links.delete(own);
      // A connection that is gone has nothing to say to its being given back.
      runner.release().catch(() => {});
    };
    try {
      own = await this.dialect.link(await runner.connect(), release);
    } catch (error) {
      release();
      throw error;
    }
    if (this.#closed) {
      own.destroy(new Error('the connection was closed'));
      own.release();
      throw new StoreClosedError('The database');
    }
    this.#links.add(own);
    return own;
  }

  /** Ends every connection: what is idle in order, what is still in use at once. */
  async close(): Promise<void> {
    this.#closed = true;
    const making = this.#dataSource;
    if (making === undefined) return;
    for (const link of Array.from(this.#links)) {
      if (link.busySince !== undefined) link.destroy(new Error('the connection was closed'));
      link.release();
    }
    try {
      await within(Promise.resolve(this.#connecting), CLOSE_MS);
      const dataSource = await making;
      // A server that does not answer must not hold up the end of the application.
      if (dataSource.isInitialized) await within(dataSource.destroy(), CLOSE_MS);
    } catch {
      // Never connected.
    }
  }

  async #make(): Promise<OwnDataSourceLike> {
    try {
      const peer = {
        name: 'typeorm',
        purpose: `A database connection of type ${this.dialect.name}`,
        install: PACKAGES[this.dialect.name].install,
      };
      const { DataSource } = await loadPeer(peer, () => import('typeorm'));
      const options = this.dialect.ownOptions(this.options, this.own);
      return new (DataSource as unknown as new (options: object) => OwnDataSourceLike)(options);
    } catch (error) {
      this.#dataSource = undefined;
      if ((error as { name?: unknown } | null)?.name !== 'DriverPackageNotInstalledError') throw error;
      const { name, install } = PACKAGES[this.dialect.name];
      throw new MissingPackageError(name, `A database connection of type ${this.dialect.name}`, install, error);
    }
  }

  async #initialize(dataSource: OwnDataSourceLike): Promise<void> {
    await dataSource.initialize();
    if (this.#closed) await dataSource.destroy();
  }
}

/** What it comes to; `undefined` where it takes longer. */
async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  const late = deferred<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ms);
  timer.unref();
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
