import { QueueError } from '../../support/queue-error.js';

/** The file that keeps failed jobs cannot be used: its folder is missing or closed, its disk is full, or what is in it is damaged. */
export class FailedFileError extends QueueError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('ERR_QUEUE_FAILED_FILE', message, options);
  }
}

/** Others were writing the file of failed jobs all the time. Nothing was changed; the same again may succeed. */
export class FailedFileBusyError extends QueueError {
  override readonly transient = true;

  constructor(path: string, ms: number, lock: string) {
    super(
      'ERR_QUEUE_FAILED_FILE_BUSY',
      `The file of failed jobs ${path} was locked by others for ${ms / 1_000} seconds; nothing was changed. Try again. If no other process uses it, delete ${lock}.`,
    );
  }
}

/** What the operating system says, and what to do about it. */
export function accessFault(path: string, doing: 'read' | 'written', cause: unknown): FailedFileError {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const advice = Object.hasOwn(ADVICE, code) ? ADVICE[code]! : 'Mend that, or name another file by failed.path.';
  return new FailedFileError(`The file of failed jobs ${path} cannot be ${doing} (${code || message}). ${advice}`, {
    cause,
  });
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'Its folder is not there: make it, or name another file by failed.path.',
  ENOTDIR: 'Its folder is not one: name another file by failed.path.',
  EISDIR: 'That is a folder: name a file in it by failed.path.',
  EACCES: 'Give this user the right to read and write the file and its folder, or name another file by failed.path.',
  EPERM: 'Give this user the right to read and write the file and its folder, or name another file by failed.path.',
  EROFS: 'Its folder is on a disk that can only be read: name another file by failed.path.',
  ENOSPC: 'The disk is full: make room.',
};
