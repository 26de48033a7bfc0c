import { execFileSync } from 'node:child_process';
import { accessSync, constants, readdirSync, realpathSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';

/** @typedef {import('./servers.mjs').ProgramKind} ProgramKind */
/** @typedef {import('./servers.mjs').FoundServer} FoundServer */

/** What a server of each kind needs, by its names. The first is the server itself. */
const PROGRAMS = {
  postgres: [['postgres'], ['initdb']],
  mariadb: [
    ['mariadbd', 'mysqld'],
    ['mariadb-install-db', 'mysql_install_db'],
  ],
  mysql: [['mysqld']],
  redis: [['redis-server', 'valkey-server']],
  supervisor: [['supervisord'], ['supervisorctl']],
};

/** @type {Map<ProgramKind, FoundServer>} */
const found = new Map();

/**
 * The programs and version of a server installed here, or undefined. `QUEUE_TEST_WITHOUT=postgres,mysql` makes as if those were absent.
 *
 * @param {ProgramKind} kind
 * @returns {FoundServer | undefined}
 */
export function findServer(kind) {
  if ((process.env.QUEUE_TEST_WITHOUT ?? '').split(',').includes(kind)) return undefined;
  // What is absent may be installed meanwhile.
  const server = found.get(kind) ?? look(kind);
  if (server !== undefined) found.set(kind, server);
  return server;
}

/**
 * @param {ProgramKind} kind
 * @returns {FoundServer | undefined}
 */
function look(kind) {
  if (process.platform === 'win32') return undefined;
  const [server, setup] = PROGRAMS[kind];
  for (const folder of folders(kind)) {
    for (const name of server) {
      const program = join(folder, name);
      if (!executable(program)) continue;
      const said = versionOf(program);
      if (said === undefined || !isKind(kind, said)) continue;
      const version = /\d+\.\d+(\.\d+)?/.exec(said)?.[0];
      const setupProgram = setup && beside(program, setup, kind);
      if (version === undefined || (setup && setupProgram === undefined)) continue;
      return { kind, version, program, ...(setupProgram && { setupProgram }) };
    }
  }
  return undefined;
}

/**
 * MariaDB also installs itself as `mysqld`, and MySQL's package may hold that name beside it.
 *
 * @param {ProgramKind} kind
 * @param {string} said
 */
function isKind(kind, said) {
  if (kind === 'mariadb') return /mariadb/i.test(said);
  if (kind === 'mysql') return !/mariadb/i.test(said);
  return true;
}

/**
 * The newest first where several versions lie side by side.
 *
 * @param {ProgramKind} kind
 */
function folders(kind) {
  const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  // Debian keeps PostgreSQL's programs, and daemons of root, outside the PATH of most users; Homebrew links no versioned formula.
  const debian = kind === 'postgres' ? newest('/usr/lib/postgresql', /^\d+$/, 'bin') : [];
  const brew = ['/opt/homebrew', '/usr/local'].flatMap((root) => [
    join(root, 'bin'),
    join(root, 'sbin'),
    ...newest(join(root, 'opt'), new RegExp(`^${kind === 'postgres' ? 'postgresql' : kind}(@|$)`), 'bin'),
    ...(kind === 'mysql' ? [join(root, 'mysql/bin')] : []),
  ]);
  return [...path, ...debian, '/usr/sbin', '/usr/bin', ...brew];
}

/**
 * @param {string} parent
 * @param {RegExp} names
 * @param {string} below
 */
function newest(parent, names, below) {
  try {
    const numeric = new Intl.Collator('en', { numeric: true });
    const matching = readdirSync(parent).filter((name) => names.test(name));
    return matching.sort((a, b) => numeric.compare(b, a)).map((name) => join(parent, name, below));
  } catch {
    return [];
  }
}

/**
 * A program of the same installation: two versions of PostgreSQL do not read each other's folders.
 *
 * @param {string} program
 * @param {readonly string[]} names
 * @param {ProgramKind} kind
 */
function beside(program, names, kind) {
  const real = dirname(realpathSync(program));
  const near = [dirname(program), real, join(dirname(real), 'bin'), join(dirname(real), 'scripts')];
  const all = kind === 'postgres' ? near : [...near, ...folders(kind)];
  return all.flatMap((folder) => names.map((name) => join(folder, name))).find(executable);
}

/** @param {string} program */
function executable(program) {
  try {
    accessSync(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} program */
function versionOf(program) {
  try {
    const options = /** @type {const} */ ({ encoding: 'utf8', timeout: 10_000, stdio: ['ignore', 'pipe', 'ignore'] });
    return `${basename(program)} ${execFileSync(program, ['--version'], options)}`;
  } catch {
    return undefined;
  }
}
