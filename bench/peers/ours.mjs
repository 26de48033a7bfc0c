import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Job, QueueBus, QueueManager, QueueModule, WorkerService } from '../../dist/index.js';

/** The injected dependency: jobs go through Nest's container as in an application. */
class Probe {
  onJob = () => {};
}

class Noop {
  constructor(n, p) {
    this.n = n;
    this.p = p;
  }

  handle(probe) {
    probe.onJob(this.n);
  }
}
Job({ name: 'noop', inject: () => [Probe] })(Noop);

/** The whole module from `dist/`: Nest application context, injection, events, leases, the worker with its defaults. */
export async function open({ family, store, options }) {
  class App {}
  Module({
    imports: [QueueModule.forRoot({ default: 'bench', connections: { bench: connection(family, store, options) } })],
    providers: [Noop, Probe],
  })(App);
  const app = await NestFactory.createApplicationContext(App, { logger: ['error', 'fatal'] });
  const bus = app.get(QueueBus);
  const workers = app.get(WorkerService);
  const probe = app.get(Probe);
  return {
    async dispatch({ n, p }, at) {
      const pending = bus.dispatch(new Noop(n, p));
      await (at === undefined ? pending : pending.delay(new Date(at)));
    },
    async bulk(list) {
      await bus.bulk(list.map(({ n, p }) => new Noop(n, p)));
    },
    async batch(list) {
      const batch = await bus.batch(list.map(({ n, p }) => new Noop(n, p))).dispatch();
      // Members that have not been counted as done.
      return { open: async () => (await batch.fresh()).pendingJobs };
    },
    async pending() {
      return (await app.get(QueueManager).connection().size()).total;
    },
    async work({ concurrency, onJob }) {
      probe.onJob = onJob;
      const ended = workers.work({ concurrency });
      return {
        async stop() {
          await workers.stop();
          await ended;
        },
      };
    },
    async close() {
      await app.close();
    },
  };
}

function connection(family, store, options) {
  if (family === 'memory') return { driver: 'memory' };
  if (family === 'redis') return { driver: 'redis', url: store.url, ...options };
  if (family === 'sqlite') {
    return { driver: 'database', dataSource: { type: 'better-sqlite3', database: store.file }, ...options };
  }
  return { driver: 'database', dataSource: { type: 'postgres', url: store.url }, migrate: true, ...options };
}
