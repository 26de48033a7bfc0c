import { fill } from '../lib/fill.mjs';
import { payload, FIRST_NUMBER } from '../lib/payload.mjs';

const MB = 1_048_576;
const IN_MEMORY = new Set(['memory', 'redis']);

export const memoryRows = [
  {
    id: 'rss',
    once: true,
    lines: [
      { metric: 'opened', title: 'RSS after opening and one dispatch, MB', better: 'lower' },
      { metric: 'filled', title: 'RSS after a bulk of 30,000 (memory, Redis 100,000), MB', better: 'lower' },
    ],
    async run({ openQueue, peer }) {
      const queue = await openQueue();
      await queue.dispatch(payload(FIRST_NUMBER));
      const opened = process.memoryUsage.rss() / MB;
      await fill(queue, IN_MEMORY.has(peer.family) ? 100_000 : 30_000);
      const filled = process.memoryUsage.rss() / MB;
      await queue.close();
      return { values: { opened, filled }, checks: {} };
    },
  },
];
