import type { PushEntry, PushResult, TransactAbility } from '../../../contracts/queue-driver.js';
import { describe, InvalidOptionError } from '../../../support/queue-error.js';
import { isDataSource, type DataSourceLike, type EntityManagerLike } from '../database-options.js';
import type { QueueStatements, ServerDialect } from './dialect.js';
import type { EntryRows } from './entry-rows.js';
import { LostLinkError, nested } from './link.js';
import { ManagerLink, type QueryRunnerLike } from './manager-link.js';
import { lockPatience } from './lock-rows.js';
import { groupsOf } from './server-push.js';
import { addressOf, type Address, type ServerSource } from './server-source.js';

/** What is used of a TypeORM EntityManager with a transaction. */
interface ManagerLike extends EntityManagerLike {
  readonly queryRunner?: QueryRunnerLike & { readonly isTransactionActive?: boolean };
  transaction<T>(work: (manager: ManagerLike) => Promise<T>): Promise<T>;
}

/** Pushes through the caller's EntityManager: the same statements, on the connection that holds the caller's transaction. */
export class ServerTransactions implements TransactAbility {
  constructor(
    private readonly source: ServerSource,
    private readonly dialect: ServerDialect,
    private readonly statements: QueueStatements,
    private readonly entries: EntryRows,
    /** Jobs were stored in these queues, and will be seen when the caller commits. */
    private readonly stored: (queues: ReadonlySet<string>) => void,
    /** The tables are there. @throws what says which is not, and how to make it */
    private readonly ready: () => Promise<void>,
    /** Jobs in these queues can be seen now. */
    readonly committed?: (queues: ReadonlySet<string>) => void,
  ) {}

  /** @throws InvalidOptionError for what is no EntityManager, or one of another database */
  within(given: unknown): { push(entries: readonly PushEntry[]): Promise<readonly PushResult[]> } {
    const manager = this.#checked(given);
    return {
      push: async (entries) => {
        if (entries.length === 0) return [];
        await this.ready();
        const results = await this.#joined(manager, (link) => this.#push(link, entries));
        const queues = new Set(entries.filter((_, at) => results[at]!.stored).map(({ queue }) => queue));
        if (queues.size > 0) this.stored(queues);
        return results;
      },
    };
  }

  covers(manager: unknown): boolean {
    return typeof manager === 'object' && manager !== null && this.#isOurs((manager as ManagerLike).dataSource);
  }

  async #push(link: ManagerLink, entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    const results: PushResult[] = [];
    const locks = lockPatience();
    for (const { kind, entries: some } of groupsOf(entries)) {
      if (kind === 'plain') results.push(...(await this.#pushPlain(link, some)));
      else for (const entry of some) results.push(await this.entries.store(link, entry, locks));
    }
    return results;
  }

  async #pushPlain(link: ManagerLink, entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    try {
      const stored = await nested(link, () => this.statements.insert(link, entries));
      return stored.map((one) => (one ? { stored: one } : { stored: one, reason: 'exists' }));
    } catch (error) {
      if (!this.entries.isEntrys(error)) throw error;
      const results: PushResult[] = [];
      for (const entry of entries) results.push(await this.entries.store(link, entry));
      return results;
    }
  }

  /** On the manager's open transaction; in one of its own where it has none, since what belongs together must not be stored by halves. */
  async #joined<T>(manager: ManagerLike, work: (link: ManagerLink) => Promise<T>): Promise<T> {
    const { queryRunner } = manager;
    try {
      if (queryRunner === undefined || !(await hasTransaction(queryRunner))) {
        return await manager.transaction((inner) => work(new ManagerLink(inner.queryRunner!, this.dialect.faults)));
      }
      return await work(new ManagerLink(queryRunner, this.dialect.faults));
    } catch (error) {
      throw error instanceof LostLinkError ? error.cause : error;
    }
  }

  #checked(given: unknown): ManagerLike {
    const manager = given as ManagerLike | null | undefined;
    if (typeof manager !== 'object' || manager === null || typeof manager.query !== 'function') {
      throw new InvalidOptionError(
        `within() was given ${describe(given)}. Give it the EntityManager of a TypeORM transaction.`,
      );
    }
    if (!this.#isOurs(manager.dataSource)) {
      throw new InvalidOptionError(
        `within() was given an EntityManager of another database than the queue's (${this.source.store}): the job could not commit with it. Use the queue's own DataSource, or afterCommit.`,
      );
    }
    return manager;
  }

  #isOurs(dataSource: unknown): boolean {
    if (!isDataSource(dataSource)) return false;
    if (dataSource === this.source.dataSource) return true;
    const { kind, options } = this.source;
    if (!isOfKind(dataSource, kind)) return false;
    const theirs = addressOf(kind, dataSource.options as unknown as Record<string, unknown>, 'given');
    return sameAddress(theirs, addressOf(kind, options, 'queue'));
  }
}

/**
 * TypeORM knows of those that it opened. For any other a savepoint tells: without a transaction Postgres refuses it, and MySQL has
 * forgotten it by the next statement.
 */
async function hasTransaction(runner: NonNullable<ManagerLike['queryRunner']>): Promise<boolean> {
  if (runner.isTransactionActive === true) return true;
  try {
    await runner.query('SAVEPOINT queue_look');
    await runner.query('RELEASE SAVEPOINT queue_look');
    return true;
  } catch {
    return false;
  }
}

function isOfKind({ options }: DataSourceLike, kind: ServerSource['kind']): boolean {
  return options.type === kind || (kind === 'mysql' && options.type === 'mariadb');
}

function sameAddress(one: Address, other: Address): boolean {
  return (
    hostOf(one.host) === hostOf(other.host) &&
    one.database === other.database &&
    // A socket in a folder has no port for MySQL, and Postgres names it by the port.
    one.port === other.port
  );
}

/** The names of this machine that everybody uses. */
function hostOf(host: string): string {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return ['localhost', '127.0.0.1', '::1'].includes(name) ? 'localhost' : name;
}
