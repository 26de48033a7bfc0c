import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** @typedef {import('./servers.mjs').FoundServer} FoundServer */
/** @typedef {import('./servers.mjs').ServerOptions} ServerOptions */
/** @typedef {(text: string, values?: readonly unknown[]) => Promise<Record<string, unknown>[]>} Query */
/** @typedef {{ folder: string; dataDir: string; port: number; options: ServerOptions }} Place */

/**
 * What differs between the servers.
 *
 * @typedef {object} Engine
 * @property {string} scheme of the URLs
 * @property {string} admin the user who may do everything
 * @property {string} adminDatabase
 * @property {NodeJS.Signals} stopSignal what a service manager sends to stop it
 * @property {string} dataDirSql tells, as `place`, where the server that answers keeps its data
 * @property {(found: FoundServer, folder: string, dataDir: string) => Promise<void>} initialise
 * @property {(place: Place) => string[]} args
 * @property {(url: string, sql: string, values: readonly unknown[]) => Promise<Record<string, unknown>[]>} query
 * @property {(name: string, sql: Query) => Promise<void>} createDatabase one that the plain user `app` may do with as it likes
 * @property {(name: string, sql: Query) => Promise<void>} dropDatabase also with clients in it
 */

const run = promisify(execFile);

/** PostgreSQL refuses to run as root: there it runs as the user its package made, or as nobody. */
export function runAs() {
  if (process.getuid?.() !== 0) return {};
  const users = new Map(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .map(([name, , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }]),
  );
  return users.get('postgres') ?? users.get('nobody') ?? {};
}

/** Nothing of ours (NODE_OPTIONS, PGHOST, MYSQL_HOME) reaches a server. */
export const SERVER_ENV = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** @type {Engine} */
export const postgres = {
  scheme: 'postgres',
  admin: 'postgres',
  adminDatabase: 'postgres',
  stopSignal: 'SIGINT',
  dataDirSql: `SELECT current_setting('data_directory') AS place`,
  async initialise({ setupProgram }, folder, dataDir) {
    const user = runAs();
    if (user.uid !== undefined) await chown(folder, user.uid, user.gid);
    const args = ['-D', dataDir, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
    await setUp('initdb', String(setupProgram), args, { ...user, env: SERVER_ENV });
  },
  args: ({ folder, dataDir, port, options }) => [
    '-D',
    dataDir,
    `--port=${port}`,
    `--unix_socket_directories=${folder}`,
    '--listen_addresses=127.0.0.1',
    ...Object.entries({
      ...(options.durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
      ...options.settings,
    }).map(([name, value]) => `--${name}=${value}`),
  ],
  async query(url, sql, values) {
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.query(sql, [...values])).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  },
  async createDatabase(name, sql) {
    await sql(
      `DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
    );
    await sql(`CREATE DATABASE "${name}" OWNER app`);
  },
  async dropDatabase(name, sql) {
    await sql(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
  },
};

/** @type {Engine} */
export const mariadb = {
  scheme: 'mariadb',
  admin: 'admin',
  adminDatabase: 'mysql',
  stopSignal: 'SIGTERM',
  dataDirSql: 'SELECT @@datadir AS place',
  async initialise({ setupProgram }, folder, dataDir) {
    const args = [
      '--no-defaults',
      `--datadir=${dataDir}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ];
    const env = await ownTemporary(folder);
    await setUp('mariadb-install-db', String(setupProgram), [...args, ...userFlag()], { env });
    writeUsers(folder);
  },
  args: (place) => [...mysqlArgs(place), '--skip-log-bin'],
  async query(url, sql, values) {
    const { createConnection } = await import('mysql2/promise');
    const connection = await createConnection({ uri: url.replace(/^mariadb:/, 'mysql:'), connectTimeout: 5_000 });
    connection.on('error', () => undefined);
    try {
      const [rows] = await connection.query(sql, [...values]);
      return Array.isArray(rows) ? /** @type {Record<string, unknown>[]} */ (rows) : [];
    } finally {
      await connection.end().catch(() => connection.destroy());
    }
  },
  async createDatabase(name, sql) {
    await sql(`CREATE DATABASE \`${name}\` CHARACTER SET utf8mb4`);
    await sql(`GRANT ALL PRIVILEGES ON \`${name.replaceAll('_', '\\_')}\`.* TO 'app'@'%'`);
  },
  async dropDatabase(name, sql) {
    // A transaction left open would hold up the drop for as long as it lives.
    const clients = await sql('SELECT id AS id FROM information_schema.processlist WHERE db = ?', [name]);
    for (const { id } of clients) await sql(`KILL ${Number(id)}`).catch(() => undefined);
    await sql(`DROP DATABASE IF EXISTS \`${name}\``);
  },
};

/** @type {Engine} */
export const mysql = {
  ...mariadb,
  scheme: 'mysql',
  async initialise({ program }, folder, dataDir) {
    await mkdir(dataDir);
    const env = await ownTemporary(folder);
    const args = ['--no-defaults', '--initialize-insecure', `--datadir=${dataDir}`, ...userFlag()];
    await setUp('mysqld --initialize-insecure', program, args, { env });
    writeUsers(folder);
  },
  args: (place) => [...mysqlArgs(place), '--skip-log-bin', '--mysqlx=OFF', '--performance-schema=OFF'],
};

/** @param {Place} place */
function mysqlArgs({ folder, dataDir, port, options }) {
  // 2 writes the log at each commit and leaves the flush to the system: a killed server keeps its commits.
  const settings = { 'innodb-flush-log-at-trx-commit': options.durable ? 1 : 2, ...options.settings };
  return [
    '--no-defaults',
    `--datadir=${dataDir}`,
    `--tmpdir=${join(folder, 'tmp')}`,
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    `--socket=${join(folder, 'sock')}`,
    `--pid-file=${join(folder, 'mysqld.pid')}`,
    `--init-file=${join(folder, 'users.sql')}`,
    '--skip-name-resolve',
    ...userFlag(),
    ...Object.entries(settings).map(([name, value]) => `--${name.replaceAll('_', '-')}=${value}`),
  ];
}

/**
 * A server that starts removes the temporary tables it finds, and would take those of another that shares the folder.
 *
 * @param {string} folder
 */
async function ownTemporary(folder) {
  const path = join(folder, 'tmp');
  await mkdir(path);
  return { ...SERVER_ENV, TMPDIR: path };
}

function userFlag() {
  return process.getuid?.() === 0 ? ['--user=root'] : [];
}

/**
 * Run by the server at each of its starts, before it takes connections.
 *
 * @param {string} folder
 */
function writeUsers(folder) {
  const lines = [
    `CREATE USER IF NOT EXISTS 'admin'@'%';`,
    `GRANT ALL PRIVILEGES ON *.* TO 'admin'@'%' WITH GRANT OPTION;`,
    `CREATE USER IF NOT EXISTS 'app'@'%';`,
  ];
  writeFileSync(join(folder, 'users.sql'), `${lines.join('\n')}\n`);
}

/**
 * @param {string} what
 * @param {string} program
 * @param {string[]} args
 * @param {{ env: Record<string, string>; uid?: number; gid?: number }} how
 */
async function setUp(what, program, args, how) {
  try {
    await run(program, args, { cwd: '/', timeout: 120_000, ...how });
  } catch (error) {
    const { stderr = '', message } = /** @type {Error & { stderr?: string }} */ (error);
    throw new Error(`${what} could not prepare a server: ${stderr.trim() || message}`, { cause: error });
  }
}
