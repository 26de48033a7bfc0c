import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { createRequire } from 'node:module';
import { CommandError } from './command-error.js';

/** The arguments of a process that was started by `spawnSelf()`, as JSON. */
const ARGUMENTS = 'NESTJS_QUEUE_ARGUMENTS';
/** Marks what travels on the channel, which the application may use as well. */
const MARK = 'nestjs-queue';

/** What a parent wants of a process that it has started: to end after its jobs, to hand them back at once, to take no other, to go on. */
export type Order = 'stop' | 'force' | 'pause' | 'resume';

const ORDERS: readonly unknown[] = ['stop', 'force', 'pause', 'resume'] satisfies readonly Order[];

export interface SelfProcessOptions {
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Stdin, stdout and stderr. Default: no input, and this process's own outputs. */
  readonly stdio?: readonly [
    'ignore' | 'pipe' | 'inherit',
    'ignore' | 'pipe' | 'inherit',
    'ignore' | 'pipe' | 'inherit',
  ];
  /** Opens a channel for messages in both directions. A worker whose channel closes ends after its jobs. */
  readonly ipc?: boolean;
}

/** What stood before the command's name when this process was started: `main.js queue queue:work`. */
let before: readonly string[] = [];
/** Whether this process was started by `spawnSelf()`. */
let spawned = false;
/** It was started with a channel, which may have closed since. */
let channelled = false;

/**
 * The arguments that this process works with: those that `spawnSelf()` has given it, else the given ones. Every entry into the command
 * line calls this first.
 */
export function ownArguments(given: readonly string[]): readonly string[] {
  const all = process.argv.slice(2);
  const at = all.length - given.length;
  before = at >= 0 && given.every((argument, index) => argument === all[at + index]) ? all.slice(0, at) : all;
  const handed = process.env[ARGUMENTS];
  if (handed === undefined) return given;
  // Not for what a job starts.
  delete process.env[ARGUMENTS];
  const { args, prefix, channel } = JSON.parse(handed) as { args: string[]; prefix: string[]; channel?: boolean };
  before = prefix;
  channelled = channel === true;
  spawned = true;
  return args;
}

/**
 * Starts the file that this process was started with once more, with other arguments: the binary, or the application's own `queue.ts` or
 * `worker.ts`, under the same flags of Node. The arguments hold even where that file hands fixed ones to `runQueueCli()`.
 *
 * @param args beginning with the command: `['queue:work', 'database', '--queue=high']`
 */
export function spawnSelf(args: readonly string[], options: SelfProcessOptions = {}): ChildProcess {
  const file = startedFrom();
  const stdio: StdioOptions = [
    ...(options.stdio ?? ['ignore', 'inherit', 'inherit']),
    ...(options.ipc ? ['ipc' as const] : []),
  ];
  return spawn(process.execPath, [...process.execArgv.map(anyPort), file, ...before, ...args], {
    env: {
      ...process.env,
      ...options.env,
      [ARGUMENTS]: JSON.stringify({ args, prefix: before, channel: options.ipc === true }),
    },
    stdio,
    windowsHide: true,
  });
}

/**
 * The file that this process was started with, in full: `node dist/queue` is `dist/queue.js`.
 *
 * @throws CommandError where it was not started from a file
 */
export function entryFile(): string {
  const file = startedFrom();
  try {
    return createRequire(file).resolve(file);
  } catch {
    return file;
  }
}

function startedFrom(): string {
  const [, file] = process.argv;
  if (file !== undefined) return file;
  throw new CommandError(
    'This process was not started from a file, so that it cannot start another one like itself.',
    'Call runQueueCli() from a file: node dist/queue.js',
  );
}

/**
 * Orders to a process that was started with a channel. What it is told before it works is said again then: an application that listens to
 * its parent as it loads takes what comes before its worker listens. One that has gone needs none.
 */
export class Orders {
  #early: Order[] | undefined = [];

  constructor(private readonly child: ChildProcess) {}

  give(what: Order): void {
    this.#early?.push(what);
    send(this.child, { [MARK]: what });
  }

  /** It works: from now on it hears everything. */
  heard(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const what of early) this.give(what);
  }
}

/** Calls with each order of the parent, and with `stop` when the parent has gone. Returns what ends it. */
export function onOrder(listener: (what: Order) => void): () => void {
  // The parent has gone while this process was still starting.
  if (channelled && !process.connected) queueMicrotask(() => listener('stop'));
  if (!hasParent()) return () => {};
  const told = (message: unknown): void => {
    const what = marked(message);
    if (ORDERS.includes(what)) listener(what as Order);
  };
  const orphaned = (): void => listener('stop');
  process.on('message', told);
  process.on('disconnect', orphaned);
  return () => {
    process.off('message', told);
    process.off('disconnect', orphaned);
  };
}

/** Whether this process was started by `spawnSelf()` with a channel. */
export function hasParent(): boolean {
  return spawned && process.connected;
}

/** Tells the parent, where there is one and a channel to it. Anything that JSON can hold. */
export function tellParent(what: unknown): void {
  if (spawned) send(process, { [MARK]: what });
}

/** Calls with each thing that the process tells by `tellParent()`. */
export function onTold(child: ChildProcess, listener: (what: unknown) => void): void {
  child.on('message', (message) => {
    const what = marked(message);
    if (what !== undefined) listener(what);
  });
}

function send(to: Pick<NodeJS.Process, 'connected' | 'send'> | ChildProcess, message: object): void {
  // A callback, since a failure would be raised as an error of the process otherwise.
  if (to.connected) to.send?.(message as never, undefined, {}, () => {});
}

function marked(message: unknown): unknown {
  return typeof message === 'object' && message !== null ? (message as Record<string, unknown>)[MARK] : undefined;
}

/** A second process cannot listen for a debugger at the same port. */
function anyPort(flag: string): string {
  const [, name] = /^(--inspect(?:-brk|-wait)?)(?:=.*)?$/.exec(flag) ?? [];
  return name === undefined ? flag : `${name}=0`;
}
