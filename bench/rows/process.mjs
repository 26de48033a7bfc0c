import { backlogFor, fill } from '../lib/fill.mjs';
import { start } from '../lib/fork.mjs';
import { tally } from '../lib/handled.mjs';
import { workUntil } from '../lib/work-until.mjs';
import { median } from '../lib/stats.mjs';

function processing({ id, title, concurrency, bytes, quick, cpu }) {
  return {
    id,
    quick,
    lines: [
      { metric: 'rate', title, better: 'higher' },
      ...(cpu === undefined ? [] : [{ metric: 'cpu', title: cpu, better: 'lower', plain: true }]),
    ],
    async run({ openQueue, peer, seconds, quick: short }) {
      const queue = await openQueue();
      const jobs = Math.ceil(backlogFor(peer.family, { quick: short }) / (bytes === 10_000 ? 4 : 1));
      await fill(queue, jobs, bytes);
      const { log, cpuMicros } = await workUntil(queue, { concurrency, seconds, jobs });
      const { rate, jobs: done, checks } = await tally([log], { filled: jobs, queue });
      await queue.close();
      return { values: { rate, cpu: cpuMicros, done }, checks };
    },
  };
}

function processes({ id, title, concurrency, count, quick }) {
  return {
    id,
    quick,
    // The memory driver lives in one process.
    families: ['sqlite', 'postgres', 'redis'],
    lines: [{ metric: 'rate', title, better: 'higher' }],
    async run({ openQueue, peer, store, seconds, quick: short }) {
      const queue = await openQueue();
      const jobs = backlogFor(peer.family, { quick: short });
      await fill(queue, jobs);
      const task = { part: 'worker', peer, store, concurrency, seconds, jobs };
      const workers = Array.from({ length: count }, () => start(task));
      await Promise.all(workers.map((worker) => worker.said('open')));
      for (const worker of workers) worker.tell('go');
      const results = await Promise.all(workers.map((worker) => worker.result));
      const logs = results.map(({ log }) => log);
      const { rate, jobs: done, checks } = await tally(logs, { filled: jobs, queue });
      await queue.close();
      const cpu = median(results.map(({ cpuMicros }) => cpuMicros).filter((value) => value !== undefined));
      return { values: { rate, cpu, done }, checks };
    },
  };
}

export const processRows = [
  processing({ id: 'process.c1', title: 'process, concurrency 1, jobs/s', concurrency: 1, quick: true }),
  processing({ id: 'process.c10', title: 'process, concurrency 10, jobs/s', concurrency: 10, quick: true }),
  processing({
    id: 'process.c100',
    title: 'process, concurrency 100, jobs/s',
    concurrency: 100,
    quick: true,
    cpu: 'process, concurrency 100: worker CPU a job, µs',
  }),
  processes({
    id: 'process.c10x2',
    title: 'process, two processes with concurrency 10, jobs/s',
    concurrency: 10,
    count: 2,
    quick: true,
  }),
  processing({ id: 'process.c10.1k', title: 'process, concurrency 10, 1 kB, jobs/s', concurrency: 10, bytes: 1_000 }),
  processing({
    id: 'process.c10.10k',
    title: 'process, concurrency 10, 10 kB, jobs/s',
    concurrency: 10,
    bytes: 10_000,
  }),
];
