import type { INestApplicationContext } from '@nestjs/common';
import type { Batches } from '../bus/batches.js';
import type { ConnectionManager } from '../connections/connection-manager.js';
import type { QueueManager } from '../nest/queue-manager.js';
import type { QueueRuntime } from '../nest/wiring.js';
import type { WorkerService } from '../nest/worker.service.js';
import type { FailedJobs } from '../operations/failed-jobs.js';
import { CommandError } from './command-error.js';
import type { AppModule } from './find-app.js';
import type { LogOptions } from './stderr-logger.js';

/** The booted application, as far as commands need it. */
export interface OpenApp {
  readonly connections: ConnectionManager;
  readonly manager: QueueManager;
  readonly failed: FailedJobs;
  readonly batches: Batches;
  readonly worker: WorkerService;
  close(): Promise<void>;
}

/** How long the application's shutdown hooks may take before the process ends without them. */
const LONGEST_CLOSE_MS = 5_000;

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
  const { connections, batches } = provided<QueueRuntime>(context, services.QUEUE_RUNTIME);
  return {
    connections,
    batches,
    manager: provided(context, services.QueueManager),
    failed: provided(context, services.FailedJobs),
    worker: provided(context, services.WorkerService),
    close: () => closeWithin(context, LONGEST_CLOSE_MS),
  };
}

async function queueServices() {
  const [{ QUEUE_RUNTIME }, { bootForCommand }, { QueueManager }, { WorkerService }, { FailedJobs }] =
    await Promise.all([
      import('../nest/tokens.js'),
      import('../nest/queue-lifecycle.js'),
      import('../nest/queue-manager.js'),
      import('../nest/worker.service.js'),
      import('../operations/failed-jobs.js'),
    ]);
  return { QUEUE_RUNTIME, bootForCommand, QueueManager, WorkerService, FailedJobs };
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

async function closeWithin(context: INestApplicationContext, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([context.close(), late]);
  clearTimeout(timer);
}
