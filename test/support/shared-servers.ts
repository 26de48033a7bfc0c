import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  findServer,
  standIn,
  startServer,
  type ProgramKind,
  type ServerOptions,
  type SqlServer,
  type SqlServerKind,
} from './servers.mjs';

export interface SharedServer {
  /** The admin's database, as the user who may do everything. */
  readonly url: string;
  /** What answers: `mariadb` for `mysql` where no MySQL server is to be had. */
  readonly ran: SqlServerKind;
  readonly version: string;
}

export interface FreshDatabase extends SharedServer {
  /** A new database, as `app`, a plain user who owns it. */
  readonly url: string;
  /** The same database, as the user who may do everything. */
  readonly adminUrl: string;
  readonly database: string;
  /** Ends the connections still in it, too. */
  drop(): Promise<void>;
}

/** Two cores shared with other specs have taken 10 s for what takes one. */
export const START_LIMIT_MS = 90_000;

const NAMES: Record<SqlServerKind, string> = { postgres: 'PostgreSQL', mariadb: 'MariaDB', mysql: 'MySQL or MariaDB' };

/** The server every spec of this run shares, started for the first that asks. A spec that stops a server starts a private one. */
export function sharedServer(kind: SqlServerKind): Promise<SharedServer> {
  return askKeeper<SharedServer>(`/${kind}`);
}

/** An empty database on the shared server. */
export async function freshDatabase(kind: SqlServerKind): Promise<FreshDatabase> {
  const made = await askKeeper<Omit<FreshDatabase, 'drop'>>(`/${kind}/fresh`);
  return {
    ...made,
    drop: async () => {
      await askKeeper(`/${kind}/drop/${made.database}`);
    },
  };
}

/**
 * A fresh database for the tests of a `describe` (or file), made before them and dropped after. Its fields may be read once they run.
 */
export function useDatabase(kind: SqlServerKind): Omit<FreshDatabase, 'drop'> {
  let made: FreshDatabase | undefined;
  // The first spec of a run also waits for the server to be set up and started.
  beforeAll(async () => void (made = await freshDatabase(kind)), START_LIMIT_MS);
  afterAll(async () => made?.drop(), START_LIMIT_MS);
  return new Proxy({} as FreshDatabase, {
    get: (_, field) => {
      if (made === undefined)
        throw new Error(`The database is made before the tests; ${String(field)} was read sooner.`);
      return made[field as keyof FreshDatabase];
    },
  });
}

/** A server of the spec's own, to stop and restart. For `mysql` it is MariaDB where no MySQL server is to be had. */
export async function privateServer(kind: SqlServerKind, options?: ServerOptions): Promise<SqlServer> {
  const { kind: stands } = await askKeeper<{ kind: SqlServerKind }>(`/${kind}/private`);
  return startServer(stands, options);
}

/**
 * A `describe` that needs a server: skipped with the reason printed where it is not installed, failed there under `REQUIRE_ALL=1`. The
 * tests of `mysql` run on MariaDB where no MySQL server is to be had.
 */
export function describeServer(kind: SqlServerKind, name: string, tests: () => void): void {
  describeFound(standIn(kind), name, tests, NAMES[kind]);
}

/** The same for `Redis`, standalone or as a cluster. */
export function describeRedis(name: string, tests: () => void): void {
  describeFound('redis', name, tests, 'Redis');
}

/** The same for the process manager. */
export function describeSupervisor(name: string, tests: () => void): void {
  describeFound('supervisor', name, tests, 'Supervisor');
}

function describeFound(kind: ProgramKind, name: string, tests: () => void, called: string): void {
  const register = { run: describe, skip: describe.skip };
  if (findServer(kind) !== undefined) {
    register.run(name, tests);
    return;
  }
  const reason = `no ${called} server is installed here (npm run verify gets it, or says how)`;
  if (process.env.REQUIRE_ALL !== '1') {
    console.info(`Skipped: ${name}: ${reason}.`);
    register.skip(name, tests);
    return;
  }
  register.run(name, () => {
    it('has its server', () => {
      expect(`not run: ${reason}`).toBe('run');
    });
  });
}

/** @param path what the keeper of this run's servers is asked for */
export async function askKeeper<T>(path: string): Promise<T> {
  const keeper = process.env.QUEUE_TEST_KEEPER;
  if (!keeper) throw new Error('No keeper of servers: run the specs by npm run jest, which starts one.');
  const response = await fetch(`${keeper}${path}`, { headers: { connection: 'close' } });
  const body = await response.text();
  if (!response.ok) throw new Error(`The shared server: ${body}`);
  return (body === '' ? undefined : JSON.parse(body)) as T;
}
