import type { Command } from 'commander';
import type { OpenApp } from './open-app.js';
import type { Output } from './output.js';

/** A command: what it takes, and what it does. Reads its arguments, calls one operation, prints what came of it. */
export interface QueueCommand<Options extends object = object> {
  /** As it is called: `queue:failed`. */
  readonly name: string;
  /** Another name that it answers to. */
  readonly alias?: string;
  readonly summary: string;
  /** Arguments of example calls, beginning behind the command's name. */
  readonly examples: readonly string[];
  /** It runs the application's jobs: the application's log is shown as the application writes it. */
  readonly runsJobs?: true;
  /** Adds its own arguments and options. */
  configure?(command: Command): void;
  /** The exit code; nothing is 0. What it throws is printed, and ends in 1. */
  run(invocation: Invocation<Options>): Promise<number | void>;
}

export interface Invocation<Options extends object = object> {
  /** The arguments, by position. Those that take many are arrays. */
  readonly args: readonly unknown[];
  readonly options: Readonly<Options & GlobalOptions>;
  readonly output: Output;
  /** Boots the application, at the first call. Closed when the command has ended. */
  readonly open: () => Promise<OpenApp>;
  /** The built file that the application is loaded from: its module, or the file that this process was started with. */
  readonly appFile: () => string;
}

/** What every command takes. */
export interface GlobalOptions {
  readonly app?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}
