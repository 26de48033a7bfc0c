export type SqlServerKind = 'postgres' | 'mariadb' | 'mysql';
export type ServerKind = SqlServerKind | 'redis';
/** What the tests run beside Node: servers, and the process manager that a file in `deploy/` is for. */
export type ProgramKind = ServerKind | 'supervisor';

export interface FoundServer {
  readonly kind: ProgramKind;
  /** `15.8`, `10.11.14`. */
  readonly version: string;
  readonly program: string;
  /** What prepares a data folder, where the server does not do that itself; of Supervisor, what it is told by. */
  readonly setupProgram?: string;
}

export interface ServerOptions {
  /**
   * Flush every commit to the disk, as in production. Default false: a commit then outlives a killed server, and not a power cut.
   */
  readonly durable?: boolean;
  /** Settings of the server by their own names, such as `{ max_connections: 10 }`. They win over ours. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

export interface ServerDatabase {
  /** As `app`, a plain user who owns the database: read-only modes and connection limits hold for it. */
  readonly url: string;
  /** As the user who may do everything. */
  readonly adminUrl: string;
}

/** A server of our own, on a free port of 127.0.0.1. It ends with this process, however that ends, and its folder goes too. */
export interface PrivateServer {
  readonly version: string;
  /** The same over all restarts. */
  readonly port: number;
  /** As the user who may do everything. */
  readonly url: string;
  readonly dataDir: string;
  /** Undefined while it is down. */
  readonly pid: number | undefined;
  /**
   * Ends the server and waits until it is gone; its data stay. Default: what a service manager sends (SIGINT to PostgreSQL, SIGTERM to the
   * others). PostgreSQL takes SIGTERM as "when all clients have left". What has not ended after 15 s is killed.
   */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** On the same port and data, until it answers. */
  start(): Promise<void>;
  /** `downMs` defaults to 0. */
  restart(how?: { signal?: NodeJS.Signals; downMs?: number }): Promise<void>;
  /** What the server wrote to its log so far. */
  log(): string;
  /** Ends the server and removes its folder. */
  close(): Promise<void>;
}

export interface SqlServer extends PrivateServer {
  readonly kind: SqlServerKind;
  /** The admin's database. No passwords. */
  readonly url: string;
  /** One statement as the admin, on a connection of its own. */
  sql(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  createDatabase(name: string): Promise<ServerDatabase>;
  /** Also with clients in it: their connections are ended. */
  dropDatabase(name: string): Promise<void>;
}

/**
 * The programs and version of a server installed here, or undefined. MariaDB under the name `mysqld` is not MySQL.
 * `QUEUE_TEST_WITHOUT=postgres,mysql` makes as if those were absent.
 */
export function findServer(kind: ProgramKind): FoundServer | undefined;

/** What the tests of a kind run on: MariaDB for `mysql` where no MySQL server is installed, else the kind itself. */
export function standIn(kind: SqlServerKind): SqlServerKind;

/** Throws where no such server is installed, or it does not start. */
export function startServer(kind: SqlServerKind, options?: ServerOptions): Promise<SqlServer>;
export function startPostgres(options?: ServerOptions): Promise<SqlServer>;
export function startMariadb(options?: ServerOptions): Promise<SqlServer>;
export function startMysql(options?: ServerOptions): Promise<SqlServer>;
