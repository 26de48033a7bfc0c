import { isUtf8 } from 'node:buffer';
import { open, realpath, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { nonce } from '../nonce.js';
import { accessFault, FailedFileError } from './failed-file-error.js';
import { recordsOf, textOf, type Contents } from './failed-file-text.js';
import { FileLock, type Held } from './file-lock.js';

/** A damaged file that a change met: it is kept under another name. */
export type PutAside = (path: string, aside: string, why: string) => void;

/** So long does a change wait for others that change the file. */
const LOCK_MS = 10_000;
/** Enough for the first line, in which the stamp stands. */
const HEAD_BYTES = 128;
const EMPTY: Contents = { kept: [], last: 0 };

/**
 * The one file: read whole, and written whole beside itself, then renamed, so that nobody ever sees a part of it. What was read is kept
 * and trusted as long as the file bears the same stamp, which each write draws anew.
 */
export class FailedFile {
  #known: { readonly stamp: string; readonly contents: Contents } | undefined;
  #real: string | undefined;
  #lock: FileLock | undefined;
  /** Changes of this process, one after the other: only one of them has to wait for the lock. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    readonly path: string,
    private readonly putAside: PutAside,
  ) {}

  /** @throws FailedFileError */
  async read(): Promise<Contents> {
    try {
      return await this.#read();
    } catch (error) {
      throw this.#fault(error, 'read');
    }
  }

  /**
   * Changes it, unless `change` gives nothing.
   *
   * @param instead begins anew where the file is damaged, instead of refusing
   * @throws FailedFileError, FailedFileBusyError: nothing was changed then
   */
  change<T>(
    change: (contents: Contents) => { readonly contents?: Contents; readonly result: T },
    instead?: 'begin-anew',
  ): Promise<T> {
    const turn = this.#turn.then(() => this.#change(change, instead));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Looks whether its folder takes a file, and whether it is one. @throws FailedFileError */
  async check(): Promise<void> {
    this.#lock ??= new FileLock(await this.#realPath());
    try {
      await (await this.#lock.acquire(LOCK_MS)).release();
      const handle = await this.#open();
      if (!handle) return;
      try {
        if ((await handle.stat()).isDirectory()) throw Object.assign(new Error('is a folder'), { code: 'EISDIR' });
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw this.#fault(error, 'written');
    }
  }

  /** What is under way is done. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  async #change<T>(
    change: (contents: Contents) => { readonly contents?: Contents; readonly result: T },
    instead: 'begin-anew' | undefined,
  ): Promise<T> {
    const real = await this.#realPath();
    this.#lock ??= new FileLock(real);
    try {
      for (;;) {
        const held = await this.#lock.acquire(LOCK_MS);
        try {
          const { contents, result } = change(await this.#readToChange(instead));
          if (!contents || (await this.#write(held, contents))) return result;
        } finally {
          await held.release();
        }
      }
    } catch (error) {
      throw this.#fault(error, 'written');
    }
  }

  async #readToChange(instead: 'begin-anew' | undefined): Promise<Contents> {
    try {
      return await this.#read();
    } catch (error) {
      if (!instead || !(error instanceof DamagedFileError)) throw error;
      const real = await this.#realPath();
      const aside = `${real}.damaged-${new Date().toISOString().replace(/[:.]/g, '-')}`;
      await rename(real, aside);
      this.putAside(real, aside, error.message);
      return EMPTY;
    }
  }

  async #read(): Promise<Contents> {
    const handle = await this.#open();
    if (!handle) return EMPTY;
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      const { bytesRead } = await handle.read(head, 0, HEAD_BYTES, 0);
      if (bytesRead === 0) return EMPTY;
      const stamp = stampIn(head.toString('utf8', 0, bytesRead));
      if (this.#known && this.#known.stamp === stamp) return this.#known.contents;
      const { size } = await handle.stat();
      const bytes = Buffer.alloc(size);
      let read = 0;
      while (read < size) {
        const some = await handle.read(bytes, read, size - read, read);
        if (some.bytesRead === 0) break;
        read += some.bytesRead;
      }
      let contents: Contents;
      try {
        if (!isUtf8(bytes.subarray(0, read))) throw new Error('it is not UTF-8');
        contents = recordsOf(bytes.toString('utf8', 0, read));
      } catch (error) {
        throw new DamagedFileError(error);
      }
      this.#known = stamp === undefined ? undefined : { stamp, contents };
      return contents;
    } finally {
      await handle.close();
    }
  }

  /** `undefined` where there is no file. */
  async #open(): Promise<FileHandle | undefined> {
    const real = await this.#realPath();
    try {
      return await open(real, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // A folder that is missing is no empty file.
      await stat(dirname(real));
      return undefined;
    }
  }

  /** False where somebody has taken the lock over meanwhile: nothing was changed. */
  async #write(held: Held, contents: Contents): Promise<boolean> {
    const real = await this.#realPath();
    const stamp = nonce();
    try {
      const draft = await open(held.draft, 'wx', 0o600);
      try {
        await draft.writeFile(textOf(contents, stamp));
        await draft.sync();
      } finally {
        await draft.close();
      }
      if (!(await held.still())) {
        await unlink(held.draft).catch(() => {});
        return false;
      }
    } catch (error) {
      await unlink(held.draft).catch(() => {});
      throw error;
    }
    try {
      await rename(held.draft, real);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      await unlink(held.draft).catch(() => {});
      throw error;
    }
    this.#known = { stamp, contents };
    await syncFolder(dirname(real));
    return true;
  }

  /** Where the file really is: a link to it stays one. */
  async #realPath(): Promise<string> {
    if (this.#real !== undefined) return this.#real;
    const folder = dirname(this.path);
    try {
      this.#real = await realpath(this.path);
    } catch {
      const real = await realpath(folder).catch(() => undefined);
      if (real === undefined) return this.path;
      // It is not there yet, and may be made as a link by then.
      return join(real, basename(this.path));
    }
    return this.#real;
  }

  #fault(error: unknown, doing: 'read' | 'written'): unknown {
    if (error instanceof DamagedFileError) {
      return new FailedFileError(
        `The file of failed jobs ${this.path} is damaged: ${error.message}. Mend it, or move it away; the next job that fails puts it aside and begins a new one.`,
        { cause: error.cause },
      );
    }
    return typeof (error as NodeJS.ErrnoException).syscall === 'string' ||
      (error as NodeJS.ErrnoException).code === 'EISDIR'
      ? accessFault(this.path, doing, error)
      : error;
  }
}

class DamagedFileError extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message.split('\n', 1)[0]!.slice(0, 200) : String(cause), { cause });
  }
}

function stampIn(head: string): string | undefined {
  return /^\{"v":1,"stamp":"([\w-]{22})"/.exec(head)?.[1];
}

/** The new name survives a power cut too, where the system has a way to say so. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // Some file systems have none; the file itself is whole all the same.
  }
}
