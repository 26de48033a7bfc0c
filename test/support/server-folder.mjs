import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** Root's servers run as somebody else, who may have no way into root's own temporary folder. */
const uid = process.getuid?.() ?? 0;
const BASE = join(uid === 0 ? '/tmp' : tmpdir(), `nestjs-queue-servers-${userInfo().username}`);

/**
 * Waits until its standard input ends, which it does when the process that started it is gone, however it went; then ends the server and
 * removes the folder. SIGQUIT first: PostgreSQL then ends its children and gives back its shared memory. The command line is compared, as
 * another process may have the number by then.
 */
const GUARD = `
while read -r _; do :; done
[ -d "$1" ] || exit 0
command_of() { if [ -r /proc/self/cmdline ]; then tr '\\0' ' ' < "/proc/$1/cmdline"; else ps -o args= -p "$1"; fi; }
running() { case "$(command_of "$pid" 2>/dev/null)" in *"$1"*) return 0;; esac; return 1; }
if [ -f "$1/server.pid" ] && read -r pid < "$1/server.pid" && running "$1"; then
  kill -QUIT "$pid"
  tries=0
  while running "$1" && [ "$tries" -lt 10 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -KILL "$pid" 2>/dev/null
  while running "$1"; do sleep 0.05; done
fi
rm -rf "$1"`;

/** A folder for one server that does not outlive this process, nor does the server whose number is noted in it. */
export class ServerFolder {
  /** @param {string} prefix */
  constructor(prefix) {
    mkdirSync(BASE, { recursive: true });
    // Passable for the user a server runs as, whatever the umask.
    chmodSync(BASE, 0o755);
    sweep();
    this.path = mkdtempSync(join(BASE, `${prefix}-`));
    chmodSync(this.path, 0o755);
    writeFileSync(join(this.path, 'owner.pid'), `${process.pid}\n`);
    this.guard = guard(this.path);
  }

  /** @param {number | undefined} pid the server's, or undefined when it has ended */
  note(pid) {
    if (pid === undefined) rmSync(join(this.path, 'server.pid'), { force: true });
    else writeFileSync(join(this.path, 'server.pid'), `${pid}\n`);
  }

  async remove() {
    await rm(this.path, { recursive: true, force: true, maxRetries: 5 });
    this.guard.stdin?.end();
  }
}

/** @param {string} path */
function guard(path) {
  // In a group of its own: Ctrl-C in a terminal goes to every process of the group.
  const child = spawn('/bin/sh', ['-c', GUARD, 'guard', path], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.on('error', () => undefined);
  child.unref();
  const input = /** @type {import('node:net').Socket} */ (child.stdin);
  input.on('error', () => undefined).unref();
  return child;
}

/** Folders whose owner and guard went together, as when a container is stopped. */
function sweep() {
  for (const name of readdirSync(BASE)) {
    const path = join(BASE, name);
    if (!abandoned(path)) continue;
    guard(path).stdin?.end();
  }
}

/** @param {string} path */
function abandoned(path) {
  try {
    // A minute for a folder that has just been made and has no note of its owner yet.
    if (!existsSync(join(path, 'owner.pid'))) return Date.now() - statSync(path).mtimeMs > 60_000;
    return !alive(Number(readFileSync(join(path, 'owner.pid'), 'utf8')));
  } catch {
    return false;
  }
}

/** @param {number} pid */
function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
