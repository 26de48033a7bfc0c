import type { InjectionToken, ModuleMetadata, Type } from '@nestjs/common';
import type { ConnectionsOptions } from '../connections/connection-options.js';
import type { QueueTelemetry } from '../contracts/telemetry.js';
import type { WorkerOptions } from '../contracts/worker-options.js';
import type { KeyOption } from '../job/key-ring.js';
import { checkContextOption, type RequestContextOption } from '../job/request-context.js';
import { InvalidOptionError } from '../support/queue-error.js';
import type { SupervisorOptions } from '../worker/supervisor/supervisor-options.js';
import { checkTelemetryOption } from './guarded-telemetry.js';
import type { HandlerOverride } from './handler-resolver.js';
import type { ScheduleOption } from './schedule-wiring.js';

/** What `QueueModule.forRoot()` takes. Everything has a default: without options jobs go to `./queue.sqlite`. */
export interface QueueModuleOptions extends ConnectionsOptions {
  /**
   * For encryption and signatures: 32 bytes in base64, or any string of 32 characters or more; or several by id, of which the current one
   * writes and all of them read. `queue:key` prints a fresh one.
   */
  key?: KeyOption | undefined;
  /** 'require' signs every job, and a worker refuses those that are not signed: they are recorded as failed. Needs a key. Default 'off'. */
  signing?: 'off' | 'require';
  /** 'signed' lets the source of a `closure()` travel, signed: whoever has the key can then run code in the workers. Default 'refuse'. */
  closures?: { source: 'refuse' | 'signed' };
  /** Where the jobs of a class go that do not say so themselves. */
  routes?: readonly (readonly [Type, { connection?: string; queue?: string }])[];
  /** Takes over how one job's `handle` is called. */
  handlers?: readonly (readonly [Type, HandlerOverride])[];
  /** Carries what the application knows at a dispatch (a tenant, a trace) to where the job runs. */
  context?: RequestContextOption;
  /** Traces dispatches and attempts: `openTelemetry()` of `nestjs-queue/opentelemetry`. Default: nothing is traced. */
  telemetry?: QueueTelemetry | undefined;
  /**
   * What is done by the clock, beside jobs with `@ScheduledJob`: once a tick, however many processes have it. Needs the package
   * `@nestjs/schedule`. `false`: this process does nothing by the clock, its jobs' schedules neither.
   */
  schedule?: false | ScheduleOption;
  /** Options of a worker inside this application. Default false: none. */
  worker?: false | WorkerOptions;
  /** By name: the worker processes that `queue:supervise` keeps running on a machine. Nothing else reads them. */
  supervisors?: Readonly<Record<string, SupervisorOptions>>;
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
const OWN = [
  'key',
  'signing',
  'closures',
  'routes',
  'handlers',
  'context',
  'telemetry',
  'schedule',
  'worker',
  'supervisors',
  'isGlobal',
] as const;
const OF_CONNECTIONS = [
  'default',
  'connections',
  'failed',
  'batching',
  'locks',
  'drivers',
  'dispatchTimeout',
  'maxPayload',
] as const;
const KNOWN: ReadonlySet<string> = new Set([...OWN, ...OF_CONNECTIONS]);

/**
 * Those of the options that the connections read, where they are checked one by one.
 *
 * @throws InvalidOptionError for an option that nobody knows
 */
export function connectionsOptions(options: QueueModuleOptions): ConnectionsOptions {
  for (const key of Object.keys(options)) {
    if (KNOWN.has(key)) continue;
    throw new InvalidOptionError(`QueueModule has no option "${key}". There are: ${[...KNOWN].join(', ')}.`);
  }
  checkContextOption(options.context);
  checkTelemetryOption(options.telemetry);
  return Object.fromEntries(
    OF_CONNECTIONS.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
  ) as ConnectionsOptions;
}
