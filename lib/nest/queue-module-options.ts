import type { InjectionToken, ModuleMetadata, Type } from '@nestjs/common';
import type { ConnectionsOptions } from '../connections/connection-options.js';
import type { WorkerOptions } from '../contracts/worker-options.js';
import { InvalidOptionError } from '../support/queue-error.js';
import type { HandlerOverride } from './handler-resolver.js';

/** What `QueueModule.forRoot()` takes. Everything has a default: without options jobs go to `./queue.sqlite`. */
export interface QueueModuleOptions extends ConnectionsOptions {
  /** For encryption and signatures: 32 bytes in base64, or any string of 32 characters or more; or several by id. */
  key?: string | { current: string; keys: Record<string, string> };
  signing?: 'off' | 'require';
  closures?: { source: 'refuse' | 'signed' };
  /** Where the jobs of a class go that do not say so themselves. */
  routes?: readonly (readonly [Type, { connection?: string; queue?: string }])[];
  /** Takes over how one job's `handle` is called. */
  handlers?: readonly (readonly [Type, HandlerOverride])[];
  context?: {
    carry: () => Record<string, string>;
    restore: (values: Record<string, string>, run: () => Promise<void>) => Promise<void>;
  };
  schedule?: {
    pruneBatches?: string;
    pruneFailed?: string;
    monitor?: { cron: string; queues: string[]; max?: number };
  };
  /** Options of a worker inside this application. Default false: none. */
  worker?: false | WorkerOptions;
  /** Default true: one registration serves every module. */
  isGlobal?: boolean;
}

export interface QueueOptionsFactory {
  createQueueOptions(): QueueModuleOptions | Promise<QueueModuleOptions>;
}

export interface QueueModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  inject?: InjectionToken[];
  useFactory?: (...dependencies: any[]) => QueueModuleOptions | Promise<QueueModuleOptions>;
  useClass?: Type<QueueOptionsFactory>;
  useExisting?: Type<QueueOptionsFactory>;
  isGlobal?: boolean;
}

/** Of the module's options, those that the connections do not read. */
const OWN: ReadonlySet<string> = new Set([
  'key',
  'signing',
  'closures',
  'routes',
  'handlers',
  'context',
  'schedule',
  'worker',
  'isGlobal',
]);

/**
 * Splits the options: what the connections read is checked there, key by key.
 *
 * @throws InvalidOptionError for an option whose promise this version cannot keep
 */
export function connectionsOptions(options: QueueModuleOptions): ConnectionsOptions {
  const promised = options as {
    signing?: string;
    closures?: { source?: string };
    context?: unknown;
    schedule?: unknown;
  };
  const missing =
    promised.signing === 'require'
      ? "signing: 'require'"
      : promised.closures?.source === 'signed'
        ? "closures: { source: 'signed' }"
        : promised.context !== undefined
          ? 'context'
          : promised.schedule !== undefined
            ? 'schedule'
            : undefined;
  if (missing !== undefined) {
    throw new InvalidOptionError(
      `QueueModule: ${missing} is not in this version yet. Leave it out, or wait for a version whose changelog names it.`,
    );
  }
  return Object.fromEntries(Object.entries(options).filter(([key]) => !OWN.has(key))) as ConnectionsOptions;
}
