import 'reflect-metadata';
import { BullModule, getQueueToken, Processor, WorkerHost } from '@nestjs/bullmq';
import { Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JOB_OPTIONS, producer } from './bullmq.mjs';

const NAME = 'noop';

/** The injected dependency, as in ours. */
class Probe {
  onJob = () => {};
}

/** A Nest application with the queue, and for a worker another one with the processor: it begins to work when it is created. */
export async function open({ store }) {
  const imports = [
    BullModule.forRoot({ connection: { url: store.url }, defaultJobOptions: JOB_OPTIONS }),
    BullModule.registerQueue({ name: NAME }),
  ];
  const app = await create({ imports });
  const queue = app.get(getQueueToken(NAME));
  queue.on('error', (error) => console.error(`nestjs-bullmq: ${error.message}`));
  await queue.waitUntilReady();
  return {
    ...producer(queue),
    async work({ concurrency, onJob }) {
      const probe = new Probe();
      probe.onJob = onJob;
      const providers = [processor(concurrency), { provide: Probe, useValue: probe }];
      const worker = await create({ imports, providers });
      return { stop: () => worker.close() };
    },
    async close() {
      await app.close();
    },
  };
}

function create(metadata) {
  class App {}
  Module(metadata)(App);
  return NestFactory.createApplicationContext(App, { logger: ['error', 'fatal'] });
}

function processor(concurrency) {
  class Noop extends WorkerHost {
    constructor(probe) {
      super();
      this.probe = probe;
    }

    async process(job) {
      this.probe.onJob(job.data.n);
    }
  }
  Inject(Probe)(Noop, undefined, 0);
  Processor(NAME, { concurrency })(Noop);
  return Noop;
}
