import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import type { OutputOptions } from './output.js';
import { mayColour } from './style.js';

/**
 * Nest's logger for commands: everything on stderr, so that stdout holds nothing but results. Warnings and errors; all of it with
 * `-v`, errors alone with `--quiet`.
 */
export class StderrLogger extends ConsoleLogger {
  constructor(options: OutputOptions) {
    super({ logLevels: levels(options), colors: mayColour(process.stderr.isTTY === true, process.env) });
  }

  protected override printMessages(
    messages: unknown[],
    context?: string,
    logLevel?: LogLevel,
    _stream?: 'stdout' | 'stderr',
    errorStack?: unknown,
  ): void {
    super.printMessages(messages, context, logLevel, 'stderr', errorStack);
  }
}

function levels(options: OutputOptions): LogLevel[] {
  if (options.verbose) return ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'];
  return options.quiet ? ['error', 'fatal'] : ['warn', 'error', 'fatal'];
}
