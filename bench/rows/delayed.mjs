import { sendFrom } from '../lib/send-from.mjs';
import { percentile } from '../lib/stats.mjs';
import { until } from '../lib/until.mjs';

/** Runs a worker beside a producer of delayed jobs. @returns how late each job began, in ms; below 0 is too early */
async function lateness({ openQueue, peer, store }, sending, patienceMs) {
  const queue = await openQueue();
  const startedAt = new Map();
  let dup = 0;
  const onJob = (number) => {
    if (startedAt.has(number)) dup += 1;
    else startedAt.set(number, Date.now());
  };
  const worker = await queue.work({ concurrency: 10, onJob, waits: true });
  const sent = await sendFrom({ queue, peer, store, sending });
  await until(() => sent.every(([number]) => startedAt.has(number)), patienceMs);
  await worker.stop();
  await queue.close();
  const late = sent.flatMap(([number, due]) => (startedAt.has(number) ? [startedAt.get(number) - due] : []));
  return { late, checks: { dup, lost: sent.length - late.length } };
}

export const delayedRows = [
  {
    id: 'delayed.lateness',
    quick: true,
    lines: [
      { metric: 'p50', title: 'delayed jobs, lateness p50, ms', better: 'lower' },
      { metric: 'p99', title: 'delayed jobs, lateness p99, ms', better: 'lower' },
      {
        metric: 'earliest',
        title: 'delayed jobs, the earliest, ms (below 0: too early)',
        better: 'higher',
        plain: true,
      },
    ],
    excludes: ['raw-sqlite', 'raw-pg', 'raw-redis', 'raw-redis-batch'],
    async run(cell) {
      const sending = { kind: 'delayed', count: cell.quick ? 60 : 300, minMs: 300, maxMs: cell.quick ? 1_500 : 4_000 };
      const { late, checks } = await lateness(cell, sending, 15_000);
      const values = { p50: percentile(late, 0.5), p99: percentile(late, 0.99), earliest: Math.min(...late) };
      return { values, checks };
    },
  },
  {
    id: 'delayed.burst',
    once: true,
    lines: [{ metric: 'last', title: '2,000 due at one instant: the last one, ms', better: 'lower' }],
    excludes: ['raw-sqlite', 'raw-pg', 'raw-redis', 'raw-redis-batch'],
    async run(cell) {
      const { late, checks } = await lateness(cell, { kind: 'burst', count: 2_000, inMs: 10_000 }, 60_000);
      return { values: { last: Math.max(...late), earliest: Math.min(...late) }, checks };
    },
  },
];
