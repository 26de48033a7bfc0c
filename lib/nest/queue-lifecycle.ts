import { AsyncLocalStorage } from 'node:async_hooks';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryService, ModulesContainer } from '@nestjs/core';
import type { StopReason, WorkerOptions } from '../contracts/worker-options.js';
import { errorLine } from '../support/error-text.js';
import { InvalidOptionError } from '../support/queue-error.js';
import { EventEmitterSubscriber } from './event-emitter-subscriber.js';
import { JobExplorer } from './job-explorer.js';
import { LogSubscriber } from './log-subscriber.js';
import { ResponseContext } from './response-context.js';
import { QUEUE_RUNTIME } from './tokens.js';
import type { QueueRuntime } from './wiring.js';

const command = new AsyncLocalStorage<true>();

/** Boots an application without its in-app worker: a command never starts consuming jobs by itself. */
export function bootForCommand<T>(boot: () => Promise<T>): Promise<T> {
  return command.run(true, boot);
}

/** What is on its way to a store or still runs after a response may hold up the end of the application so long. */
const AFTER_RESPONSE_MS = 10_000;

/**
 * The module in Nest's life: finds the jobs, starts the in-app worker, and ends in order.
 *
 * An in-app worker drains in `onModuleDestroy`: Nest runs every one of those before any later hook, so a client of the application that
 * closes there is closed to jobs that still run. Clients should close in `onApplicationShutdown`.
 */
@Injectable()
export class QueueLifecycle implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  private readonly logger = new Logger('Queue');
  #unwatch: () => void = () => undefined;

  constructor(
    @Inject(QUEUE_RUNTIME) private readonly runtime: QueueRuntime,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(ResponseContext) private readonly responses: ResponseContext,
    @Inject(LogSubscriber) private readonly log: LogSubscriber,
  ) {}

  async onModuleInit(): Promise<void> {
    const { hub, registry, options } = this.runtime;
    this.#unwatch = this.runtime.watchTransactions();
    this.log.subscribe(hub);
    new EventEmitterSubscriber(this.discovery).subscribe(hub);
    await new JobExplorer(this.discovery, this.modules, registry, options.handlers ?? []).explore();
    registry.explored = true;
    this.#refuseEncrypted();
    this.#pointOutPolicies();
  }

  onApplicationBootstrap(): void {
    const { options, connections } = this.runtime;
    // By now every module has had its turn to extend(), and to initialize a DataSource of its own.
    connections.verifyDrivers();
    this.#unwatch = this.runtime.watchTransactions();
    if (options.worker && !command.getStore()) void this.#workInside(options.worker);
  }

  /** Until it is told to stop. `queue:restart` cannot start this process anew, so only the worker is. */
  async #workInside(options: WorkerOptions): Promise<void> {
    try {
      let reason: StopReason;
      do reason = await this.runtime.workers.work(options);
      while (reason === 'restart_signal');
      if (reason === 'interrupted') return;
      const { exitWhenStuck = false } = options;
      const stuck = reason === 'timed_out';
      this.logger.error(
        `The worker inside this application has ended (${reason})${stuck ? ': a job did not end by its signal' : ''}. ${stuck && exitWhenStuck ? 'The process ends too (exitWhenStuck).' : 'Restart the application to work jobs again.'}`,
      );
      if (stuck && exitWhenStuck) process.exit(1);
    } catch (error) {
      this.logger.error(`The worker inside this application could not start: ${errorLine(error)}`);
    }
  }

  async onModuleDestroy(): Promise<void> {
    await this.runtime.workers.stop();
  }

  async onApplicationShutdown(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      // Anything that other modules dispatched while they ended is still sent.
      this.runtime.bus.flush().then(() => this.responses.pending()),
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, AFTER_RESPONSE_MS);
      }),
    ]);
    clearTimeout(timer);
    this.#unwatch();
    await this.runtime.connections.close();
  }

  /** A job whose author counts on encryption must not travel in clear. @throws InvalidOptionError */
  #refuseEncrypted(): void {
    for (const { definition } of this.runtime.registry.all()) {
      if (!definition.encrypted) continue;
      throw new InvalidOptionError(
        `${definition.type.name} is @Encrypted(), and this version cannot encrypt yet. Take the decorator off, or wait for a version whose changelog names it.`,
      );
    }
  }

  /** A policy that is declared but not kept would be found out in production. */
  #pointOutPolicies(): void {
    for (const { definition } of this.runtime.registry.all()) {
      const idle = (
        [
          ['unique', '@Unique'],
          ['debounce', '@DebounceFor'],
          ['schedule', '@ScheduledJob'],
        ] as const
      ).filter(([key]) => definition[key] !== undefined);
      if (idle.length > 0) {
        this.logger.warn(
          `${definition.type.name} has ${idle.map(([, name]) => name).join(' and ')}, which this version does not act on yet.`,
        );
      }
    }
  }
}
