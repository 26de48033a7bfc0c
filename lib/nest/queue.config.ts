import type { DynamicModule } from '@nestjs/common';
import type { FailedOptions } from '../connections/connection-options.js';
import type { Duration } from '../support/duration.js';
import { loadPeer } from '../support/load-peer.js';

/** Options of `QueueModule.forRoot` that the environment can set. Only what is set is there. */
export interface QueueConfig {
  default?: string;
  connections?: {
    redis?: { driver: 'redis'; url: string };
    /** Without a dataSource: the connection reads `QUEUE_DATABASE_URL` itself. */
    database?: { driver: 'database' };
  };
  key?: string;
  failed?: { driver: FailedOptions['driver'] };
  dispatchTimeout?: Duration;
}

/** As what `registerAs()` of @nestjs/config makes. */
export interface QueueConfigFactory {
  (): QueueConfig;
  /** Injects the options: `@Inject(queueConfig.KEY)`. */
  readonly KEY: string;
  /** For `QueueModule.forRootAsync(queueConfig.asProvider())`. Imports @nestjs/config, which must be installed. */
  asProvider(): {
    imports: [Promise<DynamicModule>];
    useFactory: (config: QueueConfig) => QueueConfig;
    inject: [string];
  };
}

const NAME = 'queue';
const KEY = `CONFIGURATION(${NAME})`;

/**
 * The queue's options from the environment, for @nestjs/config: `ConfigModule.forRoot({ load: [queueConfig] })` or
 * `QueueModule.forRootAsync(queueConfig.asProvider())`. Reads `QUEUE_CONNECTION`, `REDIS_URL`, `QUEUE_DATABASE_URL`, `QUEUE_KEY`,
 * `QUEUE_FAILED_DRIVER` and `QUEUE_DISPATCH_TIMEOUT` (seconds, or '500ms', '5s'). What is unset or blank is left to the defaults; a value
 * that cannot be is refused by the module at boot.
 */
export const queueConfig: QueueConfigFactory = Object.defineProperties(
  (() => read(process.env)) as QueueConfigFactory,
  {
    // The properties by which @nestjs/config knows a namespaced factory. Written out, since the package is optional.
    PARTIAL_CONFIGURATION_KEY: { value: NAME },
    KEY: { value: KEY },
    asProvider: {
      value: () => ({ imports: [configModule()], useFactory: (config: QueueConfig) => config, inject: [KEY] }),
    },
  },
);

function configModule(): Promise<DynamicModule> {
  const loading = loadPeer(
    { name: '@nestjs/config', purpose: 'queueConfig.asProvider()', install: 'npm i @nestjs/config' },
    () => import('@nestjs/config'),
  ).then(({ ConfigModule }) => ConfigModule.forFeature(queueConfig));
  // Nest awaits it when it comes to the import, which is later than a failure: until then it must not count as unhandled.
  loading.catch(() => {});
  return loading;
}

function read(env: NodeJS.ProcessEnv): QueueConfig {
  const set = (name: string): string | undefined => env[name]?.trim() || undefined;
  const connection = set('QUEUE_CONNECTION');
  const redis = set('REDIS_URL');
  const database = set('QUEUE_DATABASE_URL');
  const key = set('QUEUE_KEY');
  const failed = set('QUEUE_FAILED_DRIVER') as FailedOptions['driver'] | undefined;
  const timeout = set('QUEUE_DISPATCH_TIMEOUT');
  const config: QueueConfig = {};
  if (connection) config.default = connection;
  if (redis) config.connections = { redis: { driver: 'redis', url: redis } };
  if (database) config.connections = { ...config.connections, database: { driver: 'database' } };
  if (key) config.key = key;
  if (failed) config.failed = { driver: failed };
  // A bare number in the environment is text: seconds all the same.
  if (timeout) config.dispatchTimeout = Number.isFinite(Number(timeout)) ? Number(timeout) : timeout;
  return config;
}
