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
const OWN = ['key', 'signing', 'closures', 'routes', 'handlers', 'context', 'schedule', 'worker', 'isGlobal'] as const;
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

/** A key that is too short would look like protection. @throws InvalidOptionError */
function checkKey(key: QueueModuleOptions['key']): void {
  if (key === undefined) return;
  const ring = typeof key === 'string' ? { current: 'key', keys: { key } } : key;
  if (!Object.hasOwn(ring.keys, ring.current)) {
    throw new InvalidOptionError(`QueueModule: key.current is "${ring.current}", which key.keys does not have.`);
  }
  for (const [id, one] of Object.entries(ring.keys)) {
    if (typeof one === 'string' && one.length >= 32) continue;
    throw new InvalidOptionError(
      `QueueModule: the key${typeof key === 'string' ? '' : ` "${id}"`} is too short. Give 32 bytes in base64, or any string of 32 characters or more.`,
    );
  }
}

/** What would be promised by an option and cannot be kept by this version. */
const NOT_YET: readonly (readonly [name: string, given: (options: QueueModuleOptions) => boolean])[] = [
  ["signing: 'require'", ({ signing }) => signing === 'require'],
  ["closures: { source: 'signed' }", ({ closures }) => closures?.source === 'signed'],
  ['context', ({ context }) => context !== undefined],
  ['schedule', ({ schedule }) => schedule !== undefined],
];

/**
 * Those of the options that the connections read, where they are checked one by one.
 *
 * @throws InvalidOptionError for an option that nobody knows, or whose promise this version cannot keep
 */
export function connectionsOptions(options: QueueModuleOptions): ConnectionsOptions {
  for (const key of Object.keys(options)) {
    if (KNOWN.has(key)) continue;
    throw new InvalidOptionError(`QueueModule has no option "${key}". There are: ${[...KNOWN].join(', ')}.`);
  }
  checkKey(options.key);
  for (const [name, given] of NOT_YET) {
    if (!given(options)) continue;
    throw new InvalidOptionError(
      `QueueModule: ${name} is not in this version yet. Leave it out, or wait for a version whose changelog names it.`,
    );
  }
  return Object.fromEntries(
    OF_CONNECTIONS.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
  ) as ConnectionsOptions;
}
