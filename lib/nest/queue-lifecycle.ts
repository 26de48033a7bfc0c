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
import { refuseBothPolicies } from '../job/lock-policies.js';
import { releasedWithFewTries } from '../middleware/few-tries.js';
import { errorLine } from '../support/error-text.js';
import { InvalidOptionError } from '../support/queue-error.js';
import { EventEmitterSubscriber } from './event-emitter-subscriber.js';
import { onExit } from './exit-watch.js';
import { JobExplorer } from './job-explorer.js';
import { LogSubscriber } from './log-subscriber.js';
import { registerClosures } from './closure-explorer.js';
import { ResponseContext } from './response-context.js';
import { QUEUE_RUNTIME } from './tokens.js';
import type { QueueRuntime } from './wiring.js';

const command = new AsyncLocalStorage<{ readonly runsJobs: boolean }>();

/**
 * Boots an application without its in-app worker: a command never starts consuming jobs by itself. Schedules are kept by a command that
 * stays, which is one that runs jobs.
 */
export function bootForCommand<T>(
  boot: () => Promise<T>,
  { runsJobs = false }: { runsJobs?: boolean } = {},
): Promise<T> {
  return command.run({ runsJobs }, boot);
}

function keepsSchedules(): boolean {
  return command.getStore()?.runsJobs !== false;
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
  #stayed: () => void = () => undefined;

  constructor(
    @Inject(QUEUE_RUNTIME) private readonly runtime: QueueRuntime,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(ResponseContext) private readonly responses: ResponseContext,
    @Inject(LogSubscriber) private readonly log: LogSubscriber,
  ) {}

  async onModuleInit(): Promise<void> {
    const { hub, registry, seals, options } = this.runtime;
    this.#unwatch = this.runtime.watchTransactions();
    this.#stayed = onExit(() => this.#pointOutLost());
    this.log.subscribe(hub);
    new EventEmitterSubscriber(this.discovery).subscribe(hub);
    await new JobExplorer(this.discovery, this.modules, registry, options.handlers ?? []).explore();
    await registerClosures(this.discovery, registry, seals);
    registry.explored = true;
    this.#requireKey();
    this.#pointOutPolicies();
    this.#pointOutFewTries();
    if (keepsSchedules()) await this.runtime.schedules.prepare();
  }

  onApplicationBootstrap(): void {
    const { options, connections } = this.runtime;
    // By now every module has had its turn to extend(), and to initialize a DataSource of its own.
    connections.verifyDrivers();
    this.#unwatch = this.runtime.watchTransactions();
    // A test works its jobs when it says so.
    if (this.runtime.stage) return;
    if (keepsSchedules()) this.runtime.schedules.start();
    if (options.worker && !command.getStore()) void this.#workInside(options.worker);
  }

  /** Until it is told to stop. `queue:restart` cannot start this process anew, so only the worker is. */
  async #workInside(options: WorkerOptions): Promise<void> {
    this.runtime.workers.inside();
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
    await Promise.all([this.runtime.schedules.stop(), this.runtime.workers.stop()]);
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
    this.#stayed();
    this.#unwatch();
    await this.runtime.connections.close();
    this.runtime.hub.end();
  }

  /** The process ends without waiting: what was not awaited may be nowhere. */
  #pointOutLost(): void {
    const { pending } = this.runtime.bus;
    if (pending === 0) return;
    this.logger.warn(
      `The process ended while ${pending === 1 ? 'a dispatch was' : `${pending} dispatches were`} on the way to a store, which may not have got it. Await dispatches, or end with app.close().`,
    );
  }

  /** A job whose author counts on encryption must not be found out to have none when it is sent. @throws InvalidOptionError */
  #requireKey(): void {
    const { registry, seals } = this.runtime;
    for (const id of seals.weakKeys) {
      this.logger.warn(
        `QueueModule's key ${id} consists of a few characters only: it protects nothing. queue:key prints a fresh one.`,
      );
    }
    const encrypted = seals.hasKey ? undefined : registry.all().find(({ definition }) => definition.encrypted);
    if (!encrypted) return;
    throw new InvalidOptionError(
      `${encrypted.definition.type.name} is @Encrypted(), and QueueModule has no key. Set the option key (QUEUE_KEY); queue:key prints a fresh one.`,
    );
  }

  /** Found out in production otherwise: a release by middleware counts as an attempt. */
  #pointOutFewTries(): void {
    const few = [...this.runtime.registry.all()].filter(({ definition }) => releasedWithFewTries(definition));
    if (few.length === 0) return;
    this.logger.warn(
      `${few.map(({ definition }) => definition.type.name).join(', ')}: RateLimited and WithoutOverlapping release jobs, and each release counts as an attempt. With fewer than 3 tries such a job fails soon: give it more @Tries(), a retryUntil(), or dontRelease().`,
    );
  }

  /** A policy that is declared but not kept would be found out in production. */
  #pointOutPolicies(): void {
    for (const { definition } of this.runtime.registry.all()) {
      refuseBothPolicies(definition);
      const { type, unique } = definition;
      if (!unique && 'uniqueId' in (type.prototype as object)) {
        this.logger.warn(`${type.name} has a uniqueId(), but no @Unique() or @UniqueFor(): it is not unique.`);
      }
    }
  }
}
