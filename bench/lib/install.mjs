import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const BENCH = fileURLToPath(new URL('..', import.meta.url));

/** Installs the peers where they are missing or others than the lock file names. */
export function installPeers() {
  const installed = `${BENCH}node_modules/.package-lock.json`;
  const lock = `${BENCH}package-lock.json`;
  if (existsSync(installed) && sameVersions(installed, lock)) return;
  process.stderr.write('Installing what is compared with into bench/node_modules …\n');
  execFileSync('npm', ['ci', '--prefix', BENCH, '--no-audit', '--no-fund', '--loglevel=error'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function sameVersions(installed, lock) {
  if (statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return true;
  const versions = (path) => {
    const { packages } = JSON.parse(readFileSync(path, 'utf8'));
    return Object.entries(packages).filter(([name, { optional }]) => name !== '' && !optional);
  };
  const have = new Map(versions(installed).map(([name, { version }]) => [name, version]));
  return versions(lock).every(([name, { version }]) => have.get(name) === version);
}
