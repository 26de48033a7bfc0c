// Gets the servers that the tests run on, and the process manager that they try a file of deploy/ with. What is missing comes from the
// system's own packages where that needs no question, on Debian and Ubuntu; elsewhere the commands are printed. Nothing that is installed
// is removed or replaced for it.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { findServer } from '../test/support/servers.mjs';

/** Those without which tests would be left out. MySQL is in few systems' packages: its tests run on MariaDB where it is not. */
const NEEDED = ['postgres', 'mariadb', 'redis', 'supervisor'];
const OPTIONAL = ['mysql'];
const NAMES = { postgres: 'PostgreSQL', mariadb: 'MariaDB', mysql: 'MySQL', redis: 'Redis', supervisor: 'Supervisor' };
const APT = { postgres: 'postgresql', mariadb: 'mariadb-server', redis: 'redis-server', supervisor: 'supervisor' };
const BREW = { postgres: 'postgresql@17', mariadb: 'mariadb', redis: 'redis', supervisor: 'supervisor' };

let missing = NEEDED.filter((kind) => findServer(kind) === undefined);
const failure = missing.length > 0 ? install(missing) : undefined;
missing = missing.filter((kind) => findServer(kind) === undefined);

for (const kind of [...NEEDED, ...OPTIONAL]) {
  const found = findServer(kind);
  const absent = NEEDED.includes(kind) ? 'missing' : 'none, which is fine';
  console.log(`  ${NAMES[kind].padEnd(10)} ${found === undefined ? absent : `${found.version}  ${found.program}`}`);
}

if (missing.length > 0) {
  const list = (names) => missing.map((kind) => names[kind]).join(' ');
  console.log(
    [
      '',
      'The tests need these servers; they start their own, on free ports, and use none of the system:',
      `  Debian, Ubuntu: sudo apt-get install --no-install-recommends ${list(APT)}`,
      `  macOS:          brew install ${list(BREW)}`,
      '',
      `Missing: ${missing.map((kind) => NAMES[kind]).join(', ')}${failure === undefined ? '' : ` (${failure})`}.`,
    ].join('\n'),
  );
  process.exitCode = 1;
}

/** Why nothing was installed, or undefined. */
function install(kinds) {
  if (!debian()) return 'installed by hand on this system';
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  if (sudo.length > 0 && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status !== 0) {
    return 'apt-get needs root, and sudo a password';
  }
  const packages = kinds.map((kind) => APT[kind]);
  console.log(`  installing ${packages.join(' ')}`);
  const apt = (...args) => {
    const command = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', ...args];
    const { status } = spawnSync(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit'] });
    return status === 0;
  };
  if (!apt('update')) console.log('  apt-get update failed; trying with the lists that are here');
  // MariaDB's package would replace a MySQL that is installed.
  if (!apt('install', '-y', '--no-install-recommends', '--no-remove', ...packages)) return 'apt-get install failed';
  return undefined;
}

function debian() {
  if (!existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
}
