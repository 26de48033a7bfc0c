import { describe, InvalidOptionError } from '../../../support/queue-error.js';
import { isDataSource, type DatabaseConnectionOptions, type DataSourceLike } from '../database-options.js';
import type { BackendContext } from '../../../contracts/backend.js';

export type ServerKind = 'postgres' | 'mysql';
type Options = Readonly<Record<string, unknown>>;

/** A database on a server, as the application names it. */
export interface ServerSource {
  readonly kind: ServerKind;
  /** TypeORM's DataSource options. */
  readonly options: Options;
  /** For messages, without credentials: `postgres at localhost:5432/app`. */
  readonly store: string;
  /** The application's own DataSource, where the connection was given one. */
  readonly dataSource?: DataSourceLike;
}

const KINDS: Readonly<Record<string, ServerKind>> = { postgres: 'postgres', mysql: 'mysql', mariadb: 'mysql' };
const SCHEMES: Readonly<Record<string, string>> = {
  postgres: 'postgres',
  postgresql: 'postgres',
  mysql: 'mysql',
  mariadb: 'mariadb',
};
const PORTS: Readonly<Record<ServerKind, number>> = { postgres: 5432, mysql: 3306 };

/** The server of a connection; `undefined` where it is a file, or a DataSource that is not there (yet). */
export function serverSource(options: DatabaseConnectionOptions, context: BackendContext): ServerSource | undefined {
  const { dataSource } = options;
  if (dataSource === undefined) {
    const url = process.env['QUEUE_DATABASE_URL'];
    const type = url === undefined ? undefined : SCHEMES[/^([a-z]+):\/\//i.exec(url)?.[1]?.toLowerCase() ?? ''];
    return type === undefined ? undefined : sourceOf({ type, url }, context.connection);
  }
  const given = typeof dataSource === 'string' ? context.dataSource(dataSource) : dataSource;
  if (isDataSource(given)) {
    const source = sourceOf(given.options as unknown as Options, context.connection);
    return source && { ...source, dataSource: given };
  }
  return typeof given === 'object' && given !== null
    ? sourceOf(given as unknown as Options, context.connection)
    : undefined;
}

/** Where the server is and which of its databases it is: the same for every way of writing it. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

/** @throws InvalidOptionError for a URL that is none */
export function addressOf(kind: ServerKind, options: Options, connection: string): Address {
  // A primary of a replicated set is where writes go.
  const replication = options['replication'] as { master?: Options } | undefined;
  const { url, host, port, database, socketPath, username } = { ...options, ...replication?.master };
  const parsed = typeof url === 'string' ? parse(url, connection) : undefined;
  const user = parsed?.username || username;
  return {
    host: parsed?.hostname || textOf(host) || textOf(socketPath) || 'localhost',
    port: Number(parsed?.port || port || PORTS[kind]),
    database: decodeURIComponent(parsed?.pathname.slice(1) || '') || textOf(database) || textOf(user),
  };
}

function sourceOf(options: Options, connection: string): ServerSource | undefined {
  const type = options['type'];
  const kind = typeof type === 'string' ? KINDS[type] : undefined;
  if (kind === undefined) return undefined;
  const { host, port, database } = addressOf(kind, options, connection);
  const where = host.startsWith('/') ? host : `${host}:${port}`;
  return { kind, options, store: `${String(type)} at ${where}/${database}` };
}

function textOf(option: unknown): string {
  return typeof option === 'string' ? option : '';
}

function parse(url: string, connection: string): URL {
  try {
    return new URL(url);
  } catch (cause) {
    throw new InvalidOptionError(
      `The database URL of the [${connection}] connection is ${describe(url.replace(/\/\/[^@/]*@/, '//…@'))}, which is none. Write it as postgres://user:password@host:5432/database.`,
      { cause },
    );
  }
}
