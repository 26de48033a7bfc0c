import { now, sleep } from '../lib/clock.mjs';
import { sendFrom } from '../lib/send-from.mjs';
import { percentile } from '../lib/stats.mjs';
import { until } from '../lib/until.mjs';

export const latencyRows = [
  {
    id: 'latency',
    quick: true,
    lines: [
      { metric: 'p50', title: 'latency dispatch to handler, p50, ms', better: 'lower' },
      { metric: 'p99', title: 'latency dispatch to handler, p99, ms', better: 'lower' },
    ],
    excludes: ['raw-sqlite', 'raw-pg'],
    async run({ openQueue, peer, store, quick }) {
      const queue = await openQueue();
      const startedAt = new Map();
      let dup = 0;
      const onJob = (number) => {
        if (startedAt.has(number)) dup += 1;
        else startedAt.set(number, now());
      };
      const worker = await queue.work({ concurrency: 10, onJob, waits: true });
      await sleep(1_000);
      const sending = { kind: 'gaps', count: quick ? 40 : 200, minMs: 10, maxMs: 100 };
      const sent = await sendFrom({ queue, peer, store, sending });
      await until(() => sent.every(([number]) => startedAt.has(number)), 15_000);
      await worker.stop();
      await queue.close();
      const latencies = sent.flatMap(([number, at]) => (startedAt.has(number) ? [startedAt.get(number) - at] : []));
      return {
        values: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), samples: latencies.length },
        checks: { dup, lost: sent.length - latencies.length },
      };
    },
  },
];
