import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import type { OutputOptions } from './output.js';
import { mayColour } from './style.js';

export interface LogOptions extends OutputOptions {
  /** Shows the application's log, not its warnings and errors alone. */
  readonly runsJobs?: boolean;
  /** False: without the lines of a worker that begins, pauses and ends. There is one for each job. */
  readonly banner?: boolean;
}

/** Contexts under which Nest tells of its boot. Without `-v` their warnings and errors alone are shown. */
const OF_NESTS_BOOT = new Set([
  'NestFactory',
  'NestApplication',
  'NestApplicationContext',
  'NestMicroservice',
  'InstanceLoader',
  'LazyModuleLoader',
  'RoutesResolver',
  'RouterExplorer',
  'WebSocketsController',
  'GraphQLModule',
]);
/** The context under which Nest prints what kept the application from booting: the command says it itself, in two lines. */
const OF_A_FAILED_BOOT = 'ExceptionHandler';
/** The context of the queue's own log. */
const QUEUE = 'Queue';
const ALWAYS_SHOWN = new Set<LogLevel>(['warn', 'error', 'fatal']);

/**
 * Nest's logger for commands: everything on stderr, so that stdout holds nothing but results. Warnings and errors; of a command that
 * runs jobs every level that Nest prints by default, but for the lines of Nest's boot. All of it with `-v`, errors alone with `--quiet`.
 */
export class StderrLogger extends ConsoleLogger {
  private readonly showsBoot: boolean;
  private readonly hidden: ReadonlySet<string>;

  constructor(options: LogOptions) {
    const logLevels = levels(options);
    super({ ...(logLevels && { logLevels }), colors: mayColour(process.stderr.isTTY === true, process.env) });
    this.showsBoot = options.verbose === true;
    this.hidden = options.banner === false ? new Set([...OF_NESTS_BOOT, QUEUE]) : OF_NESTS_BOOT;
  }

  protected override printMessages(
    messages: unknown[],
    context?: string,
    logLevel: LogLevel = 'log',
    _stream?: 'stdout' | 'stderr',
    ...rest: unknown[]
  ): void {
    if (!this.showsBoot && context === OF_A_FAILED_BOOT) return;
    if (!this.showsBoot && this.hidden.has(context ?? '') && !ALWAYS_SHOWN.has(logLevel)) return;
    // What follows the stream differs between the releases of Nest.
    const print = super.printMessages.bind(this) as (...args: unknown[]) => void;
    print(messages, context, logLevel, 'stderr', ...rest);
  }
}

/** Nothing: Nest's own defaults. */
function levels({ verbose, quiet, runsJobs }: LogOptions): LogLevel[] | undefined {
  if (verbose) return ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'];
  if (quiet) return ['error', 'fatal'];
  return runsJobs ? undefined : ['warn', 'error', 'fatal'];
}
