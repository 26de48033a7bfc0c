import type { INestApplicationContext } from '@nestjs/common';
import type { Batches } from '../bus/batches.js';
import type { ConnectionManager } from '../connections/connection-manager.js';
import type { QueueManager } from '../nest/queue-manager.js';
import type { QueueRuntime } from '../nest/wiring.js';
import type { ResolvedSupervisor } from '../worker/supervisor/supervisor-options.js';
import type { WorkerService } from '../nest/worker.service.js';
import type { FailedJobs } from '../operations/failed-jobs.js';
import { CommandError } from './command-error.js';
import type { AppModule } from './find-app.js';
import type { HealthSubject } from './health-server.js';
import type { LogOptions } from './stderr-logger.js';

/** The booted application, as far as commands need it. */
export interface OpenApp {
  readonly connections: ConnectionManager;
  readonly manager: QueueManager;
  readonly failed: FailedJobs;
  readonly batches: Batches;
  readonly worker: WorkerService;
  /** Those of the module's options, by name. */
  readonly supervisors: ReadonlyMap<string, ResolvedSupervisor>;
  readonly health: HealthSubject;
  close(): Promise<void>;
}

/** How long the application's shutdown hooks may take before the process ends without them. */
const LONGEST_CLOSE_MS = 5_000;
/** How long listeners may take to an event that the command has raised. */
const LONGEST_LISTENING_MS = 10_000;

/**
 * Boots the application without HTTP and without Nest's shutdown hooks: the command decides when it closes.
 *
 * @throws CommandError where the application has no QueueModule; whatever its own boot throws
 */
export async function openApp(module: AppModule, options: LogOptions): Promise<OpenApp> {
  // Nest is large: `--help` and a mistyped option must not wait for it.
  const [{ NestFactory }, { StderrLogger }, services] = await Promise.all([
    import('@nestjs/core'),
    import('./stderr-logger.js'),
    queueServices(),
  ]);
  const logger = new StderrLogger(options);
  const context = await services.bootForCommand(
    () => NestFactory.createApplicationContext(module, { abortOnError: false, logger }),
    options,
  );
  const runtime = provided<QueueRuntime>(context, services.QUEUE_RUNTIME);
  const { connections, batches, hub, supervisors } = runtime;
  return {
    connections,
    batches,
    manager: provided(context, services.QueueManager),
    failed: provided(context, services.FailedJobs),
    worker: provided(context, services.WorkerService),
    supervisors,
    health: {
      health: provided(context, services.QueueHealth),
      vitals: () => runtime.workers.vitals(),
      metrics: async () => (await import('../metrics/queue-metrics.js')).QueueMetrics.open(runtime),
    },
    async close() {
      // Whoever is told that a queue is busy may have a message to send. A worker has waited for its jobs, and is to end.
      if (!options.runsJobs) await within(hub.settled(), LONGEST_LISTENING_MS);
      await within(context.close(), LONGEST_CLOSE_MS);
    },
  };
}

async function queueServices() {
  const [{ QUEUE_RUNTIME }, { bootForCommand }, { QueueManager }, { WorkerService }, { QueueHealth }, { FailedJobs }] =
    await Promise.all([
      import('../nest/tokens.js'),
      import('../nest/queue-lifecycle.js'),
      import('../nest/queue-manager.js'),
      import('../nest/worker.service.js'),
      import('../nest/queue-health.js'),
      import('../operations/failed-jobs.js'),
    ]);
  return { QUEUE_RUNTIME, bootForCommand, QueueManager, WorkerService, QueueHealth, FailedJobs };
}

function provided<T>(context: INestApplicationContext, token: symbol | (abstract new (...args: never[]) => T)): T {
  try {
    return context.get<T>(token, { strict: false });
  } catch (cause) {
    throw new CommandError(
      'The application does not import QueueModule, or imports it from another copy of nestjs-queue.',
      'Add QueueModule.forRoot() to its imports, and check with "npm ls nestjs-queue" that there is one copy.',
      { cause },
    );
  }
}

async function within(ending: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([ending, late]);
  clearTimeout(timer);
}
