import { deferred } from '../../../support/deferred.js';
import { loadPeer, MissingPackageError } from '../../../support/load-peer.js';
import { StoreClosedError } from '../store-state-errors.js';
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

  /** @throws MissingPackageError; the server's own error where it cannot be reached */
  async connect(): Promise<OwnLink> {
    const dataSource = await (this.#dataSource ??= this.#make());
    if (!dataSource.isInitialized) {
      await (this.#connecting ??= this.#initialize(dataSource).finally(() => (this.#connecting = undefined)));
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
      await this.#connecting;
      const dataSource = await making;
      // A server that does not answer must not hold up the end of the application.
      if (dataSource.isInitialized) await withinASecond(dataSource.destroy());
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

async function withinASecond(work: Promise<unknown>): Promise<void> {
  const late = deferred<void>();
  const timer = setTimeout(late.resolve, 1_000);
  await Promise.race([work.catch(() => {}), late.promise]);
  clearTimeout(timer);
}
