// Our own CPU for a job on the memory driver: no store, no network, a handler that does nothing. Everything else rides on this.
//
//   npm run bench:overhead [-- --jobs=50000 --rounds=5 --concurrency=100 --json]
//
// CPU time of the whole process (user + system), so that a busy machine does not count against it; the best round is what the code
// costs, the median what it costs here today.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Job, QueueBus, QueueModule, WorkerService } from '../dist/index.js';

const flags = Object.fromEntries(
  process.argv.slice(2).map((flag) => {
    const [key, value = 'true'] = flag.replace(/^--/, '').split('=');
    return [key, value];
  }),
);
const JOBS = Number(flags.jobs ?? 50_000);
const ROUNDS = Number(flags.rounds ?? 5);
const CONCURRENCY = Number(flags.concurrency ?? 100);

class Nothing {
  constructor(number) {
    this.number = number;
  }
  handle() {}
}
Job()(Nothing);

class App {}
Module({ imports: [QueueModule.forRoot({ default: 'memory' })], providers: [Nothing] })(App);

async function cpuPerJob(work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / JOBS;
}

const app = await NestFactory.createApplicationContext(App, { logger: ['error'] });
const bus = app.get(QueueBus);
const workers = app.get(WorkerService);
const rounds = { bulk: [], dispatch: [], process: [] };
for (let round = -1; round < ROUNDS; round += 1) {
  const jobs = Array.from({ length: JOBS }, (_, number) => new Nothing(number));
  const bulk = await cpuPerJob(() => bus.bulk(jobs));
  const processed = await cpuPerJob(() => workers.work({ stopWhenEmpty: true, concurrency: CONCURRENCY }));
  const dispatched = await cpuPerJob(async () => {
    for (const job of jobs) await bus.dispatch(job);
  });
  await app.get(WorkerService).work({ stopWhenEmpty: true, concurrency: CONCURRENCY });
  // The first round warms the compiler up.
  if (round < 0) continue;
  rounds.bulk.push(bulk);
  rounds.dispatch.push(dispatched);
  rounds.process.push(processed);
}
await app.close();

const table = Object.fromEntries(
  Object.entries(rounds).map(([row, values]) => {
    const sorted = values.toSorted((a, b) => a - b);
    return [row, { best: round(sorted[0]), median: round(sorted[Math.floor(sorted.length / 2)]) }];
  }),
);
if (flags.json)
  console.log(
    JSON.stringify({
      unit: 'µs of CPU a job',
      jobs: JOBS,
      concurrency: CONCURRENCY,
      node: process.version,
      rows: table,
    }),
  );
else {
  console.log(`µs of CPU a job; ${ROUNDS} rounds of ${JOBS} jobs, concurrency ${CONCURRENCY}, Node ${process.version}`);
  console.table(table);
}

function round(value) {
  return Math.round(value * 100) / 100;
}
