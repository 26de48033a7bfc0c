import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { QueueBus } from '../bus/queue-bus.js';
import { Dispatcher } from '../bus/dispatcher.js';
import { prepareInProcess, type PreparationServices } from '../bus/prepare-dispatch.js';
import type { TransactionalDataSource } from '../bus/open-transactions.js';
import { afterAttempt } from '../completion/after-attempt.js';
import { recordFailure } from '../completion/record-failure.js';
import { runFailedHook } from '../completion/run-failed-hook.js';
import { resolveConnections } from '../connections/connection-config.js';
import { ConnectionManager, type DriverLoader } from '../connections/connection-manager.js';
import { EventHub } from '../connections/event-hub.js';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { FailedHookErrored } from '../contracts/queue-events.js';
import { EntityReferences } from '../job/entity-reference.js';
import { readEnvelope } from '../job/envelope-reader.js';
import type { PayloadHook } from '../job/envelope-writer.js';
import { AttemptContext, type AttemptServices } from '../job/job-context.js';
import type { JobDefinition } from '../job/job-definition.js';
import { freezePolicies } from '../job/job-policies.js';
import { JobRegistry, type RegisteredJob } from '../job/job-registry.js';
import { reviveJob, verdictOnRevival } from '../job/job-reviver.js';
import { PayloadCodec } from '../job/payload-codec.js';
import type { DataSourceLike } from '../job/typeorm-shapes.js';
import { registeredValues } from '../job/value.decorator.js';
import { FailedJobs } from '../operations/failed-jobs.js';
import type { Clock } from '../support/clock.js';
import { systemClock } from '../support/clock.js';
import { errorLine } from '../support/error-text.js';
import type { CompletionSteps } from '../worker/attempt-finisher.js';
import { runInProcess } from '../worker/in-process-run.js';
import { JobRunner } from '../worker/job-runner.js';
import { resolveWorkerOptions } from '../worker/resolved-options.js';
import type { AttemptEnd, RunningAttempt } from '../worker/running-attempt.js';
import { StrayErrors } from '../worker/stray-errors.js';
import type { WorkerServices } from '../worker/worker-parts.js';
import { QueueManager } from './queue-manager.js';
import { connectionsOptions, type QueueModuleOptions } from './queue-module-options.js';
import { WorkerService } from './worker.service.js';

/** What the composition takes from the application around it. */
export interface Surroundings {
  readonly dataSource: (name: string) => unknown;
  readonly dataSources: () => readonly DataSourceLike[];
  /** False outside a request. */
  readonly afterResponse: (fn: () => Promise<void>) => boolean;
  readonly report: (message: string, error: unknown) => void;
  readonly warn: (message: string) => void;
}

/** Everything one module is made of. */
export interface QueueRuntime {
  readonly options: QueueModuleOptions;
  readonly hub: EventHub;
  readonly connections: ConnectionManager;
  readonly registry: JobRegistry;
  readonly bus: QueueBus;
  /** Listens to these DataSources, and those that connections were given, until the function that it returns is called. */
  readonly watchTransactions: () => () => void;
  readonly manager: QueueManager;
  readonly failedJobs: FailedJobs;
  readonly workers: WorkerService;
}

/** The drivers of this package. Loaded when a connection first uses them, so that their packages are needed only then. */
const DRIVERS: ReadonlyMap<string, DriverLoader> = new Map<string, DriverLoader>([
  ['sync', async () => (await import('../backends/in-process/sync-driver.js')).syncDriver],
  ['deferred', async () => (await import('../backends/in-process/deferred-driver.js')).deferredDriver],
  ['null', async () => (await import('../backends/in-process/null-driver.js')).nullDriver],
  ['memory', async () => (await import('../backends/memory/memory-backend.js')).memoryBackend],
  ['database', async () => (await import('../backends/database/database-backend.js')).databaseBackend],
  ['redis', async () => (await import('../backends/redis/redis-backend.js')).redisBackend],
]);

/** The one place where the floors are put together. */
export function wire(options: QueueModuleOptions, around: Surroundings): QueueRuntime {
  const clock: Clock = systemClock;
  const config = resolveConnections(connectionsOptions(options));
  const hub = new EventHub(around.report);
  const registry = new JobRegistry();
  const codec = new PayloadCodec(registeredValues(), new EntityReferences(around.dataSources));
  const storage = new AsyncLocalStorage<RunningAttempt>();
  const attempts: AttemptServices = {
    now: () => clock.now(),
    warn: around.warn,
    findBatch: () => Promise.resolve(null),
  };
  const revive = (registered: RegisteredJob, envelope: JobEnvelope, context: JobContext) =>
    reviveJob(registered.definition, envelope, context, codec);
  const runner = new JobRunner({
    clock,
    hub,
    registry,
    context: attempts,
    storage,
    read: (body) => readEnvelope(body, config.maxPayload),
    revive,
    verdictOnOpening: verdictOnRevival,
  });

  const failedHook = async (end: AttemptEnd): Promise<void> => {
    const { context, failedHook: hook } = end;
    if (!hook) return;
    await runFailedHook(hook, context.displayName, clock, (error) => {
      hub.emit(new FailedHookErrored(context.connection, context, error));
    });
  };
  const runHere = (job: ReservedJob, connection: string): Promise<unknown> =>
    runInProcess(job, connection, { runner, hub, failed: failedHook });
  const afterResponse = (fn: () => Promise<void>): void => {
    if (!around.afterResponse(fn)) void fn();
  };

  const factories = new Map(DRIVERS);
  for (const [name, factory] of Object.entries(options.drivers ?? {})) factories.set(name, () => factory as never);
  const connections = new ConnectionManager(
    config,
    factories,
    (connection) => ({
      clock,
      run: async (job) => void (await runHere(job, connection)),
      afterResponse,
      dataSource: around.dataSource,
      warn: around.warn,
    }),
    hub,
  );
  for (const [type, to] of options.routes ?? []) {
    if (to.connection !== undefined) connections.get(to.connection);
    connections.routes.route(type, to);
  }
  // Checked here, so that a wrong one ends the boot and not the worker.
  if (options.worker) resolveWorkerOptions(options.worker, connections.get(options.worker.connection));

  const hooks: PayloadHook[] = [];
  const preparation: PreparationServices = {
    connections,
    codec,
    hooks: () => hooks,
    clock,
    dispatching: pointOutUnlisted(registry, around.warn),
  };
  const dispatcher = new Dispatcher({ ...preparation, hub, report: around.report });
  const bus = new QueueBus({
    dispatcher,
    inProcess: (job, connection) => {
      const reserved = prepareInProcess(job, connection, preparation);
      return () => runHere(reserved, connection);
    },
    afterResponse,
    report: around.report,
  });

  const completion = (connection: string): CompletionSteps => ({
    effects: afterAttempt([]),
    recordFailure: async (end, reserved) => {
      const store = await connections.failed();
      const own = connections.get(connection);
      const backend = await own.backend();
      const withAck = connections.sharesBackend('failed', connection) && backend.atomic?.has('failure') === true;
      const error = end.outcome.kind === 'failed' ? end.outcome.error : new Error('The job failed.');
      return recordFailure(
        { context: end.context, reserved, error, failedAt: new Date(clock.now()) },
        { store, withAck, leases: own.ready()?.leases, leaseMs: own.leaseMs },
      );
    },
    failedHook,
  });
  const workerServices = (connection: string): WorkerServices => ({
    connection: connections.get(connection),
    runner,
    hub,
    clock,
    completion: completion(connection),
    control: async () => {
      await connections.checkStores(connection);
      return connections.control();
    },
    // A store that is away is said once in a while, not with every try.
    report: (message, error) => around.warn(`${message}: ${errorLine(error)}`),
    ownsProcess: () => workers.ownsProcess,
  });
  const strays = new StrayErrors(
    storage,
    (attempt, error) =>
      around.report(
        `${attempt.context.displayName} [${attempt.context.id}] left an error behind after it had ended`,
        error,
      ),
    (error) => workers.strayed(error),
  );
  const workers: WorkerService = new WorkerService({ connections, hub, strays, workerServices, report: around.report });

  const refreshRetryUntil = (envelope: JobEnvelope): Promise<number | undefined> =>
    retryUntilNow(envelope, registry, revive, attempts, clock);
  return {
    options,
    hub,
    connections,
    registry,
    bus,
    watchTransactions: () => {
      const given = [...config.connections.values()].map(({ options: { dataSource } }) => dataSource);
      for (const one of [...around.dataSources(), ...given]) {
        if (typeof one === 'object' && one !== null) dispatcher.transactions.attach(one as TransactionalDataSource);
      }
      return () => dispatcher.transactions.detach();
    },
    manager: new QueueManager(connections, hub, hooks),
    failedJobs: new FailedJobs({ connections, hub, refreshRetryUntil }),
    workers,
  };
}

/** Says once a class that a job is sent which no module of this process lists: easily forgotten, and late to find out. */
function pointOutUnlisted(registry: JobRegistry, warn: (message: string) => void): (definition: JobDefinition) => void {
  const seen = new WeakSet<JobDefinition>();
  return (definition) => {
    if (seen.has(definition)) return;
    seen.add(definition);
    if (registry.explored && !registry.has(definition)) {
      warn(
        `${definition.type.name} is dispatched, but no module of this process lists it in its providers. A worker that does not know it cannot run it.`,
      );
    }
  };
}

/** What the job's `retryUntil()` says now; what travelled, where the class does not decide by a method. */
async function retryUntilNow(
  envelope: JobEnvelope,
  registry: JobRegistry,
  revive: (registered: RegisteredJob, envelope: JobEnvelope, context: JobContext) => object | Promise<object>,
  services: AttemptServices,
  clock: Clock,
): Promise<number | undefined> {
  const registered = registry.find(envelope.name);
  const method = (registered?.definition.type.prototype as { retryUntil?: unknown } | undefined)?.retryUntil;
  if (!registered || typeof method !== 'function') return undefined;
  const reserved = {
    id: envelope.uuid,
    queue: '',
    body: '',
    priority: 0,
    attempts: 1,
    stalls: 0,
    token: randomUUID(),
    leasedUntil: 0,
  };
  const job = await revive(registered, envelope, new AttemptContext('', reserved, envelope, services));
  return freezePolicies(job, registered.definition, clock.now()).retryUntil;
}
