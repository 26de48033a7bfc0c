import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LoggerService, type ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import * as queue from 'nestjs-queue';
import {
  FailedJobs,
  QueueBus,
  QueueManager,
  QueueModule,
  WorkerService,
  type QueueModuleOptions,
  type WorkerOptions,
} from 'nestjs-queue';

/** The stores that every flow runs on. */
export const STORES = ['memory', 'database'] as const;
export type StoreName = (typeof STORES)[number];

export interface Opened {
  readonly app: TestingModule;
  readonly bus: QueueBus;
  readonly manager: QueueManager;
  readonly workers: WorkerService;
  readonly failed: FailedJobs;
  /** Every event since the app was opened, the noise of looking for jobs left out. */
  readonly seen: object[];
  /** The names of `seen` since the last call. */
  names(): string[];
  /** Works everything that is due or comes due within `idle`. */
  drain(options?: WorkerOptions): Promise<queue.StopReason>;
}

const NOISE = new Set([
  'JobPopping',
  'Looping',
  'WorkerIdle',
  'JobQueueing',
  'JobQueued',
  'WorkerStarting',
  'WorkerStopping',
]);
const silent: LoggerService = { log() {}, error() {}, warn() {}, debug() {}, verbose() {}, fatal() {} };
const opened: { app: TestingModule; dir: string }[] = [];

/** A SQLite file of its own for each app. */
export function sqliteOptions(dir: string, more: object = {}): object {
  return { driver: 'database', dataSource: { type: 'better-sqlite3', database: join(dir, 'queue.sqlite') }, ...more };
}

/** Boots an application on a store. Close all of them by `closeApps` in an `afterEach`. */
export async function openApp(
  store: StoreName,
  given: Partial<ModuleMetadata> & {
    options?: Partial<QueueModuleOptions>;
    retryAfter?: queue.Duration;
    dir?: string;
    logger?: LoggerService;
  } = {},
): Promise<Opened> {
  const dir = given.dir ?? mkdtempSync(join(tmpdir(), 'queue-flow-'));
  const lease = given.retryAfter === undefined ? {} : { retryAfter: given.retryAfter };
  const { connections, ...options } = given.options ?? {};
  const app = await Test.createTestingModule({
    imports: [
      QueueModule.forRoot({
        default: store,
        ...options,
        connections: {
          memory: { driver: 'memory', ...lease },
          database: sqliteOptions(dir, lease) as never,
          ...connections,
        },
      }),
      ...(given.imports ?? []),
    ],
    providers: given.providers ?? [],
    controllers: given.controllers ?? [],
  })
    .setLogger(given.logger ?? silent)
    .compile();
  opened.push({ app, dir: given.dir === undefined ? dir : '' });
  const manager = app.get(QueueManager);
  const seen: object[] = [];
  for (const type of Object.values(queue)) {
    if (typeof type === 'function' && 'event' in type && !NOISE.has(type.name)) {
      manager.on(type as typeof queue.JobFailed, (event) => void seen.push(event));
    }
  }
  await app.init();
  let told = 0;
  const workers = app.get(WorkerService);
  return {
    app,
    bus: app.get(QueueBus),
    manager,
    workers,
    failed: app.get(FailedJobs),
    seen,
    names: () => seen.slice(told, (told = seen.length)).map((event) => event.constructor.name),
    drain: (worker) => workers.work({ stopWhenEmpty: true, sleep: '50ms', ...worker }),
  };
}

export async function closeApps(): Promise<void> {
  for (const { app, dir } of opened.splice(0)) {
    await app.close();
    if (dir) rmSync(dir, { recursive: true, force: true });
  }
}

/** Waits until `holds`, and says what it waited for where it does not come. */
export async function until(holds: () => unknown, what = 'the condition', withinMs = 3_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`Waited ${withinMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
