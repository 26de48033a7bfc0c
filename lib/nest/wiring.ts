import { AsyncLocalStorage } from 'node:async_hooks';
import type { Batches } from '../bus/batches.js';
import { QueueBus } from '../bus/queue-bus.js';
import { Dispatcher } from '../bus/dispatcher.js';
import { prepareInProcess, type PreparationServices } from '../bus/prepare-dispatch.js';
import type { BatchSweep } from '../completion/batch-sweep.js';
import { resolveConnections } from '../connections/connection-config.js';
import { ConnectionManager } from '../connections/connection-manager.js';
import { EventHub } from '../connections/event-hub.js';
import { JobLocks } from '../connections/job-locks.js';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { EntityReferences } from '../job/entity-reference.js';
import { readEnvelope } from '../job/envelope-reader.js';
import { EnvelopeSeals } from '../job/envelope-seals.js';
import type { PayloadHook } from '../job/payload-hooks.js';
import type { AttemptServices } from '../job/job-context.js';
import { JobRegistry, type RegisteredJob } from '../job/job-registry.js';
import { carrying } from '../job/request-context.js';
import { reviveJob, reviveThrough, verdictOnRevival } from '../job/job-reviver.js';
import { PayloadCodec } from '../job/payload-codec.js';
import type { DataSourceLike } from '../job/typeorm-shapes.js';
import { registeredValues } from '../job/value.decorator.js';
import type { RateLimiter } from '../middleware/rate-limiter.js';
import { FailedJobs } from '../operations/failed-jobs.js';
import { errorLine } from '../support/error-text.js';
import { moduleClock } from '../support/steered-clock.js';
import { runInProcess } from '../worker/in-process-run.js';
import { JobRunner } from '../worker/job-runner.js';
import { OutboxRelays } from '../worker/outbox-relays.js';
import { resolveWorkerOptions } from '../worker/resolved-options.js';
import type { RunningAttempt } from '../worker/running-attempt.js';
import { StrayErrors } from '../worker/stray-errors.js';
import { resolveSupervisors, type ResolvedSupervisor } from '../worker/supervisor/supervisor-options.js';
import type { WorkerServices } from '../worker/worker-parts.js';
import { wireBatches, type WiredBatches } from './batch-wiring.js';
import { stepWriter, wireChains, type WiredChains } from './chain-wiring.js';
import { wireCompletion } from './completion-wiring.js';
import { wirePolicies } from './policy-wiring.js';
import { BUILT_IN_DRIVERS } from './built-in-drivers.js';
import { ByHand } from './by-hand.js';
import { wireInProcess } from './in-process-wiring.js';
import { otherJobs } from './other-jobs.js';
import { pointOutUnlisted } from './point-out-unlisted.js';
import { QueueManager } from './queue-manager.js';
import type { QueueStage } from './queue-stage.js';
import { connectionsOptions, type QueueModuleOptions } from './queue-module-options.js';
import { relayServices } from './relay-services.js';
import { retryUntilNow } from './retry-until-now.js';
import { wireSchedules, type WiredSchedules } from './schedule-wiring.js';
import { wireTelemetry } from './telemetry-wiring.js';
import { watchTransactions } from './watch-transactions.js';
import { WorkerService } from './worker.service.js';

/** What the composition takes from the application around it. */
export interface Surroundings {
  readonly dataSource: (name: string) => unknown;
  readonly dataSources: () => readonly DataSourceLike[];
  /** False outside a request. */
  readonly afterResponse: (fn: () => Promise<void>) => boolean;
  readonly report: (message: string, error: unknown) => void;
  readonly warn: (message: string) => void;
  readonly stage?: QueueStage;
}

/** Everything one module is made of. */
export interface QueueRuntime {
  readonly options: QueueModuleOptions;
  readonly stage: QueueStage | undefined;
  readonly hub: EventHub;
  readonly connections: ConnectionManager;
  readonly registry: JobRegistry;
  readonly seals: EnvelopeSeals;
  readonly bus: QueueBus;
  readonly batches: Batches;
  readonly sweep: BatchSweep;
  /** Listens to these DataSources, and those that connections were given, until the function that it returns is called. */
  readonly watchTransactions: () => () => void;
  readonly manager: QueueManager;
  readonly failedJobs: FailedJobs;
  readonly rateLimiter: RateLimiter;
  readonly workers: WorkerService;
  /** What `queue:supervise` may keep running, by name. */
  readonly supervisors: ReadonlyMap<string, ResolvedSupervisor>;
  readonly byHand: ByHand;
  readonly schedules: WiredSchedules;
}

/** The one place where the floors are put together. */
export function wire(options: QueueModuleOptions, around: Surroundings): QueueRuntime {
  const clock = moduleClock();
  const { stage } = around;
  const config = resolveConnections(connectionsOptions(options));
  const supervisors = resolveSupervisors(options.supervisors, config);
  const seals = EnvelopeSeals.of(options);
  const hub = new EventHub(around.report);
  const registry = new JobRegistry();
  const traces = wireTelemetry(options.telemetry, hub, (name) => connections.get(name), around.report);
  const codec = new PayloadCodec(registeredValues(), new EntityReferences(around.dataSources));
  const storage = new AsyncLocalStorage<RunningAttempt>();
  const { rateLimiter, policies } = wirePolicies(() => connections, clock, around);
  const attempts: AttemptServices = {
    now: () => clock.now(),
    warn: around.warn,
    findBatch: (id) => batched.batches.find(id),
    writeSteps: stepWriter(() => preparation),
    policies,
  };
  const revive = (registered: RegisteredJob, envelope: JobEnvelope, context: JobContext) =>
    reviveJob(registered.definition, envelope, context, codec, seals);
  const runner = new JobRunner({
    clock,
    hub,
    registry,
    context: attempts,
    storage,
    read: (body) => readEnvelope(body, config.maxPayload),
    refusal: (envelope, id, definition) => seals.refusal(envelope, id, definition),
    revive,
    through: (envelope, id) => reviveThrough(envelope, id, codec, seals),
    restore: options.context?.restore,
    others: otherJobs(() => jobLocks, hub, around.report),
    verdictOnOpening: verdictOnRevival,
    traces: traces.attempts,
  });

  const made = { batches: () => batched, chains: () => chains, locks: () => jobLocks, traces: traces.attempts };
  const { failedHook, inProcess } = wireInProcess({ runner, hub, clock, ...made });
  const runHere = (job: ReservedJob, connection: string): Promise<unknown> => runInProcess(job, connection, inProcess);
  const afterResponse = (fn: () => Promise<void>): void => {
    if (!around.afterResponse(fn)) void fn();
  };

  const factories = new Map(BUILT_IN_DRIVERS);
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
    stage && { stage, builtIn: new Set(BUILT_IN_DRIVERS.values()) },
  );
  const jobLocks = new JobLocks(connections, around.report);
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
    seals,
    carried: carrying(options.context),
    hooks: () => hooks,
    clock,
    dispatching: pointOutUnlisted(registry, around.warn),
    ...(stage && { watch: stage }),
    ...(traces.dispatches && { traces: traces.dispatches }),
  };
  const dispatcher = new Dispatcher({ ...preparation, hub, locks: jobLocks, report: around.report });
  stage?.attach({ hub, transactions: dispatcher.transactions, registry });
  const bus = new QueueBus({
    dispatcher,
    inProcess: (job, connection) => {
      const reserved = prepareInProcess(job, connection, preparation);
      return () => runHere(reserved, connection);
    },
    afterResponse,
    report: around.report,
    batches: () => batched.batches,
    ...(stage && { watch: stage }),
  });

  const refreshRetryUntil = async (envelope: JobEnvelope): Promise<number | undefined> =>
    retryUntilNow(envelope, registry, revive, attempts, clock);
  const chains: WiredChains = wireChains({
    connections,
    hub,
    registry,
    seals,
    attempts,
    revive,
    refreshRetryUntil,
    locks: jobLocks,
    report: around.report,
    misplaced: (failure) => batched.misplaced(failure),
    traces: traces.dispatches,
  });
  const batched: WiredBatches = wireBatches({
    connections,
    hub,
    registry,
    writing: preparation,
    chains,
    carried: preparation.carried,
    running: () => storage.getStore()?.context,
    insideOf: (fits) => dispatcher.transactions.find(fits) !== undefined,
    afterResponse,
    report: (message, error) => around.warn(`${message}: ${errorLine(error)}`),
  });
  const { report } = around;
  const following = {
    connections,
    locks: jobLocks,
    chains,
    batches: batched,
    failedHook,
    report,
    traces: traces.attempts,
  };
  const workerServices = (connection: string): WorkerServices => ({
    connection: connections.get(connection),
    runner,
    hub,
    clock,
    completion: wireCompletion(connection, following),
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
  const relays = new OutboxRelays(() =>
    relayServices({
      connections,
      hub,
      clock,
      registry,
      attempts,
      read: (body) => readEnvelope(body, config.maxPayload),
      revive,
      report: (message, error) => around.warn(`${message}: ${errorLine(error)}`),
    }),
  );
  const workers: WorkerService = new WorkerService({
    connections,
    hub,
    strays,
    relays,
    sweep: batched.sweep,
    workerServices,
    report: around.report,
  });

  return {
    options,
    stage,
    hub,
    connections,
    registry,
    seals,
    bus,
    batches: batched.batches,
    sweep: batched.sweep,
    watchTransactions: () => watchTransactions(dispatcher.transactions, config, around.dataSources()),
    manager: new QueueManager(connections, hub, hooks),
    rateLimiter,
    failedJobs: new FailedJobs({ connections, hub, refreshRetryUntil, seals }),
    workers,
    supervisors,
    byHand: new ByHand({ preparation, registry, inProcess, strays, relays, workerServices, revive, options }),
    schedules: wireSchedules({
      option: options.schedule,
      registry,
      preparation,
      dispatcher,
      locks: jobLocks,
      hub,
      batches: () => batched.batches,
      warn: around.warn,
    }),
  };
}
