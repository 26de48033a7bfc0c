import { lstat, readdir, readFile, readlink, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nonce } from '../nonce.js';
import { FailedFileBusyError } from './failed-file-error.js';

/** Whoever holds the lock writes one file: that takes milliseconds. Longer than this, and nobody is at work any more. */
const STALE_MS = 30_000;
const SHORTEST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;

interface Holder {
  readonly nonce: string;
  readonly pid: number;
  /** Where its pid means something. */
  readonly space: string;
}

/** A hold on the lock of a file. */
export interface Held {
  /** The file that whoever holds the lock writes before it takes the place of the real one. */
  readonly draft: string;
  /** Whether the lock is still held. */
  still(): Promise<boolean>;
  release(): Promise<void>;
}

/**
 * One writer at a time for a file that several processes write: a link beside it that leads nowhere, and says who holds it. A link is
 * there whole or not at all; where there are no links it is a file, made with O_EXCL.
 *
 * A holder that was killed leaves it behind. Who finds it so, because its process is gone or it is older than any write, puts a lock of
 * its own in its place and removes all drafts. A holder that was only stopped, and goes on, finds that it is not the holder any more, or
 * its draft gone: it can no longer put anything in the place of the file.
 */
export class FileLock {
  readonly path: string;
  readonly #space = spaceOfPids();

  constructor(private readonly file: string) {
    this.path = `${file}.lock`;
  }

  /** @throws FailedFileBusyError after `ms`; what the file system says */
  async acquire(ms: number): Promise<Held> {
    const own: Holder = { nonce: nonce(), pid: process.pid, space: this.#space };
    const until = performance.now() + ms;
    for (let pause = SHORTEST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      if ((await this.#create(this.path, own)) || (await this.#takeOver(own))) return this.#held(own);
      if (performance.now() >= until) throw new FailedFileBusyError(this.file, ms, this.path);
      await sleep(pause * (0.5 + Math.random()));
    }
  }

  #held(own: Holder): Held {
    const still = async (): Promise<boolean> => (await this.#holder())?.nonce === own.nonce;
    return {
      draft: draftOf(this.file, own.nonce),
      still,
      release: async () => {
        // Another one may have found the same dead holder, and taken over a moment later: then it is theirs.
        if (await still()) await unlink(this.path).catch(ifMissing);
      },
    };
  }

  /** False where there is one. */
  async #create(path: string, { nonce: id, pid, space }: Holder): Promise<boolean> {
    const text = `${id} ${pid} ${space}`;
    try {
      await symlink(text, path).catch((error: NodeJS.ErrnoException) => {
        if (!NO_LINKS.has(error.code)) throw error;
        return writeFile(path, text, { flag: 'wx', mode: 0o600 });
      });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  /** The path is never free meanwhile: nobody comes between who takes over and who has just begun. */
  async #takeOver(own: Holder): Promise<boolean> {
    if (!(await this.#isStale())) return false;
    const mine = `${this.path}.${own.nonce}`;
    await this.#create(mine, own);
    await rename(mine, this.path);
    const drafts = `${basename(this.file)}.`;
    for (const name of await readdir(dirname(this.file))) {
      if (name.startsWith(drafts) && name.endsWith(DRAFT))
        await unlink(join(dirname(this.file), name)).catch(ifMissing);
    }
    // Of two who take over at once the second has it.
    return (await this.#holder())?.nonce === own.nonce;
  }

  async #isStale(): Promise<boolean> {
    try {
      const { mtimeMs } = await lstat(this.path);
      if (Date.now() - mtimeMs > STALE_MS) return true;
      const holder = await this.#holder();
      return holder !== undefined && holder.space === this.#space && !isAlive(holder.pid);
    } catch (error) {
      ifMissing(error);
      return false;
    }
  }

  async #holder(): Promise<Holder | undefined> {
    try {
      const text = await readlink(this.path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EINVAL' && error.code !== 'UNKNOWN') throw error;
        return readFile(this.path, 'utf8');
      });
      const [, id, pid, space] = /^(\S+) (\d+) (.*)$/s.exec(text) ?? [];
      // A file may be in the middle of being written, or its writer was killed there.
      return id === undefined ? undefined : { nonce: id, pid: Number(pid), space: space! };
    } catch (error) {
      ifMissing(error);
      return undefined;
    }
  }
}

/** What a file system says that has no links, or does not let this user make one. */
const NO_LINKS: ReadonlySet<unknown> = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'UNKNOWN']);
const DRAFT = '.draft';

function draftOf(file: string, id: string): string {
  return `${file}.${id}${DRAFT}`;
}

/** A pid says nothing about another host, nor about another container on this one. */
function spaceOfPids(): string {
  let namespace = '';
  try {
    namespace = readlinkSync('/proc/self/ns/pid');
  } catch {
    // There is one for the whole machine.
  }
  return `${hostname()} ${namespace}`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function ifMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
