import { resolve } from 'node:path';
import type { Backend, BackendContext } from '../../contracts/backend.js';
import { FailedFile } from './failed-file.js';
import { FileFailedJobs } from './file-failed-jobs.js';

export interface FileOptions {
  /** Default './failed-jobs.json', from the working folder. */
  readonly path?: string;
  /** Default 100. */
  readonly limit?: number;
}

/** Failed jobs in one file of this machine, for several processes of it. It keeps nothing else. */
export function fileBackend(
  { path = 'failed-jobs.json', limit = 100 }: FileOptions,
  { warn }: BackendContext,
): Backend {
  const file = new FailedFile(resolve(path), (damaged, aside, why) =>
    warn(
      `The file of failed jobs ${damaged} is damaged: ${why}. It was kept as ${aside}, and a new one begun; what can be read of it may be put back by hand.`,
    ),
  );
  let told = false;
  const dropped = (count: number): void => {
    if (told) return;
    told = true;
    warn(
      `The file of failed jobs ${file.path} keeps ${limit}: ${count === 1 ? 'the oldest one has' : `the ${count} oldest have`} given way to a new one, and others will. Raise failed.limit, or keep failed jobs in a database.`,
    );
  };
  return {
    failed: new FileFailedJobs(file, limit, dropped),
    check: () => file.check(),
    close: () => file.idle(),
  };
}
