import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { OpenWatch } from '../contracts/backend.js';
import { systemClock } from '../support/clock.js';
import { WatchBoard } from './watch-board.js';
import { WatchDuty, type WatchTerms } from './watch-duty.js';

/** What a worker hands to its watchdog's thread. */
export interface WatchdogData {
  readonly memory: SharedArrayBuffer;
  readonly terms: WatchTerms;
  /** Where the store's side is found, and what it needs. */
  readonly entry: string;
  readonly data: unknown;
}

/** What a worker tells the thread later on. */
export type WatchdogWord =
  | { readonly kind: 'memo'; readonly place: number; readonly version: number; readonly memo: string }
  | { readonly kind: 'end' };

/** The first process of a container cannot be ended from inside. */
const UNDYING_MS = 2_000;

const port = parentPort!;
const { memory, terms, entry, data } = workerData as WatchdogData;
const memos = new Map<number, { readonly version: number; readonly memo: string }>();
let over = false;
let wake = (): void => {};

port.on('message', (word: WatchdogWord) => {
  if (word.kind === 'memo') {
    memos.set(word.place, word);
  } else {
    over = true;
    wake();
  }
});

/** Past the main thread, which prints for all others and may be the one that is blocked. */
function say(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // Nobody reads it: a closed pipe, or a full one.
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const { openWatch } = (await import(entry)) as { openWatch: OpenWatch };
const store = await openWatch(data);
const duty = new WatchDuty(new WatchBoard(memory), store, terms, {
  elapsed: () => systemClock.elapsed(),
  pause,
  memoOf: ({ place, version }) => {
    const sent = memos.get(place);
    return sent?.version === version ? sent.memo : undefined;
  },
  say,
  kill: () => {
    process.kill(process.pid, 'SIGKILL');
    setTimeout(() => {
      say(
        'nestjs-queue: the process could not be ended: it is the first one of its container. Start it under an init, such as docker run --init. Its jobs are left to other workers.',
      );
    }, UNDYING_MS);
  },
});

while (!over) {
  const ms = await duty.look();
  if (over) break;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
await store.close();
port.close();
