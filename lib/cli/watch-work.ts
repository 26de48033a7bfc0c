import { dirname, relative, resolve } from 'node:path';
import { OneChild } from './one-child.js';
import type { Output } from './output.js';
import { clean } from './style.js';
import { WatchedFiles } from './watched-files.js';
import type { ChildEnd } from './worker-child.js';

export interface WatchWork {
  /** Folders and files; an empty one is the folder of the application's built file. */
  readonly paths: readonly string[];
  readonly appFile: string;
  /** Of the worker's process. */
  readonly args: readonly string[];
  readonly graceMs: number;
  /** The worker has been told to end by itself: when it is empty, after so many jobs. */
  readonly ends: boolean;
  readonly output: Output;
}

/** Before a worker that has ended by itself is started anew. */
const PAUSE_MS = 1_000;

/**
 * Runs a worker in a process of its own, and starts it anew when files change: it takes no further job, its jobs end, at the latest after
 * its grace, and then its successor starts. While a worker cannot start, the next change is waited for. Resolves with the exit code when
 * this process is told to end.
 */
export async function watchWork({ paths, appFile, args, graceMs, ends, output }: WatchWork): Promise<number> {
  const watched = [...new Set(paths.map((path) => resolve(path === '' ? dirname(appFile) : path)))];
  const child = new OneChild(graceMs);
  const files = new WatchedFiles(watched, appFile);
  await files.check();
  let ever = false;
  try {
    for (;;) {
      await files.mark();
      if (child.stopping) return 0;
      const worker = child.start(args, {});
      const changed = await Promise.race([files.changed, worker.ended.then(() => undefined)]);
      if (changed && !child.stopping) {
        announce(changed, output);
        void child.drain();
      }
      const end = await worker.ended;
      if (child.stopping) return child.exitCode(end);
      ever ||= end.worked;
      if (end.misnamed && !ever) return 1;
      if (changed) continue;

      const again = startsAgain(end, ends);
      output.remark(`${told(end)} ${again ? 'It is started anew.' : 'Waiting for a change.'}`);
      if (again) {
        await child.pause(PAUSE_MS, files.changed);
      } else {
        await Promise.race([files.changed.then((paths) => announce(paths, output)), child.stopped]);
      }
    }
  } finally {
    files.close();
  }
}

/** One that cannot start, or has done what it was to do, waits for a change. */
function startsAgain({ code, worked }: ChildEnd, ends: boolean): boolean {
  return worked && !(code === 0 && ends);
}

function told({ code, signal, worked }: ChildEnd): string {
  if (signal) return `The worker was ended by ${signal}.`;
  if (code === 0) return 'The worker has ended.';
  if (code === 12) return 'The worker grew larger than --memory.';
  return worked ? `The worker ended with ${code}.` : 'The worker could not start.';
}

function announce([first = '', ...others]: readonly string[], output: Output): void {
  const short = relative(process.cwd(), first);
  const name = clean(short.startsWith('..') ? first : short);
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  output.remark(`${name}${more} changed: the worker is started anew.`);
}
