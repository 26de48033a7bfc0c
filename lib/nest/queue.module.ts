import {
  Module,
  type DynamicModule,
  type InjectionToken,
  type MiddlewareConsumer,
  type NestModule,
  type Provider,
  type Type,
} from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, HttpAdapterHost } from '@nestjs/core';
import { ALWAYS_THERE } from '../connections/connection-config.js';
import { QueueBus } from '../bus/queue-bus.js';
import { definitionOf } from '../job/job-definition.js';
import type { DataSourceLike } from '../job/typeorm-shapes.js';
import { RateLimiter } from '../middleware/rate-limiter.js';
import { FailedJobs } from '../operations/failed-jobs.js';
import { StoreProbe } from '../operations/store-probe.js';
import { InvalidOptionError } from '../support/queue-error.js';
import { jobRefProvider } from './handler-resolver.js';
import { LogSubscriber } from './log-subscriber.js';
import { QueueHealth } from './queue-health.js';
import { QueueLifecycle } from './queue-lifecycle.js';
import { QueueManager } from './queue-manager.js';
import type { QueueModuleAsyncOptions, QueueModuleOptions, QueueOptionsFactory } from './queue-module-options.js';
import { ResponseContext } from './response-context.js';
import type { QueueStage } from './queue-stage.js';
import { getQueueConnectionToken, QUEUE_FEATURE, QUEUE_OPTIONS, QUEUE_RUNTIME, QUEUE_STAGE } from './tokens.js';
import { wire, type QueueRuntime } from './wiring.js';
import { WorkerService } from './worker.service.js';

/**
 * Jobs for an application: `imports: [QueueModule.forRoot()]` needs no service, jobs are kept in `./queue.sqlite`.
 *
 * It provides `QueueBus`, `QueueManager`, `WorkerService`, `FailedJobs`, `QueueHealth`, `RateLimiter` and a provider for each connection
 * (`@InjectQueueConnection('name')`). Nothing is opened before the first dispatch or worker.
 */
@Module({})
export class QueueModule implements NestModule {
  constructor(
    private readonly responses: ResponseContext,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  /** @throws InvalidOptionError at boot, in one line that says what to do */
  static forRoot(options: QueueModuleOptions = {}): DynamicModule {
    const names = new Set([...ALWAYS_THERE, ...Object.keys(options.connections ?? {})]);
    return compose({ provide: QUEUE_OPTIONS, useValue: options }, [], options.isGlobal, [...names]);
  }

  static forRootAsync(options: QueueModuleAsyncOptions): DynamicModule {
    return compose(asyncOptions(options), options.imports ?? [], options.isGlobal, ALWAYS_THERE, options.useClass);
  }

  /** Lists job classes: the same as naming them in the module's `providers`. @throws NotAJobError */
  static forFeature(jobs: Type[]): DynamicModule {
    for (const job of jobs) definitionOf(job);
    return { module: QueueFeatureModule, providers: [{ provide: QUEUE_FEATURE, useValue: jobs }] };
  }

  configure(_consumer: MiddlewareConsumer): void {
    this.responses.attach(this.adapterHost.httpAdapter);
  }
}

/** Holds the jobs of one `forFeature()`; they see what the module that imports it sees. */
@Module({})
class QueueFeatureModule {}

function compose(
  options: Provider,
  imports: DynamicModule['imports'] & object,
  isGlobal = true,
  connections: readonly string[],
  optionsClass?: Type<QueueOptionsFactory>,
): DynamicModule {
  const fromRuntime = (provide: InjectionToken, pick: (runtime: QueueRuntime) => unknown): Provider => ({
    provide,
    inject: [QUEUE_RUNTIME],
    useFactory: pick,
  });
  const shared: Provider[] = [
    fromRuntime(QueueBus, ({ bus }) => bus),
    fromRuntime(QueueManager, ({ manager }) => manager),
    fromRuntime(WorkerService, ({ workers }) => workers),
    fromRuntime(FailedJobs, ({ failedJobs }) => failedJobs),
    fromRuntime(RateLimiter, ({ rateLimiter }) => rateLimiter),
    fromRuntime(QueueHealth, health),
    fromRuntime(getQueueConnectionToken(), ({ connections: all }) => all.get()),
    ...connections.map((name) => fromRuntime(getQueueConnectionToken(name), ({ connections: all }) => all.get(name))),
    jobRefProvider,
  ];
  return {
    module: QueueModule,
    global: isGlobal,
    imports: [DiscoveryModule, ...imports],
    providers: [
      options,
      ...(optionsClass ? [optionsClass] : []),
      { provide: ResponseContext, useFactory: () => new ResponseContext() },
      { provide: LogSubscriber, useFactory: () => new LogSubscriber() },
      // A factory, so that a test can override it by one.
      { provide: QUEUE_STAGE, useFactory: () => null },
      {
        provide: QUEUE_RUNTIME,
        inject: [QUEUE_OPTIONS, DiscoveryService, ResponseContext, LogSubscriber, QUEUE_STAGE],
        useFactory: runtime,
      },
      ...shared,
      QueueLifecycle,
    ],
    exports: [QUEUE_RUNTIME, ...shared.map((one) => (one as { provide: InjectionToken }).provide)],
  };
}

function runtime(
  options: QueueModuleOptions,
  discovery: DiscoveryService,
  responses: ResponseContext,
  log: LogSubscriber,
  stage: QueueStage | null,
): QueueRuntime {
  return wire(options, {
    dataSource: (name) => dataSources(discovery).find((one) => one.name === name)?.source,
    dataSources: () => dataSources(discovery).map(({ source }) => source),
    afterResponse: (fn) => responses.afterResponse(fn),
    report: (message, error) => log.mishap(message, error),
    warn: (message) => log.outage(message),
    ...(stage && { stage }),
  });
}

function health({ connections, workers }: QueueRuntime): QueueHealth {
  const probe = new StoreProbe(connections);
  return new QueueHealth({
    connections,
    probe,
    vitals: () => workers.vitals(),
    expectsWorker: () => workers.expected,
  });
}

/** The application's TypeORM DataSources, known by their shape: TypeORM is an optional package. */
function dataSources(discovery: DiscoveryService): { name: string; source: DataSourceLike }[] {
  const found = new Map<DataSourceLike, string>();
  for (const { instance } of discovery.getProviders()) {
    const source = instance as (DataSourceLike & { options?: { name?: string }; name?: string }) | null | undefined;
    if (typeof source?.hasMetadata !== 'function' || typeof source.getRepository !== 'function') continue;
    found.set(source, source.options?.name ?? source.name ?? 'default');
  }
  return [...found].map(([source, name]) => ({ name, source }));
}

function asyncOptions(options: QueueModuleAsyncOptions): Provider {
  const { useFactory, useClass, useExisting, inject = [] } = options;
  const factory = useExisting ?? useClass;
  if (factory) {
    return {
      provide: QUEUE_OPTIONS,
      inject: [factory],
      useFactory: (made: QueueOptionsFactory) => made.createQueueOptions(),
    };
  }
  if (!useFactory) {
    throw new InvalidOptionError('QueueModule.forRootAsync() needs one of useFactory, useClass and useExisting.');
  }
  return { provide: QUEUE_OPTIONS, inject, useFactory };
}
