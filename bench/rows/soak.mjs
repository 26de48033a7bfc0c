import { fill } from '../lib/fill.mjs';
import { slope } from '../lib/stats.mjs';
import { workUntil } from '../lib/work-until.mjs';

const MB = 1_048_576;
const CHUNK = 10_000;

export const soakRows = [
  {
    id: 'soak',
    soak: true,
    lines: [
      { metric: 'slope', title: 'RSS of a worker over the soak, MB a 100,000 jobs', better: 'lower', plain: true },
      { metric: 'first', title: 'RSS after the first fifth, MB', better: 'lower', plain: true },
      { metric: 'last', title: 'RSS at the end, MB', better: 'lower', plain: true },
    ],
    /** Jobs in chunks, each worked off; the memory is read after a collection. The first fifth warms up. */
    async run({ openQueue, jobs }) {
      const queue = await openQueue();
      const points = [];
      for (let done = 0; done < jobs; done += CHUNK) {
        await fill(queue, CHUNK);
        await workUntil(queue, { concurrency: 10, seconds: 600, jobs: CHUNK });
        globalThis.gc?.();
        points.push([(done + CHUNK) / 100_000, process.memoryUsage.rss() / MB]);
      }
      await queue.close();
      const steady = points.slice(Math.floor(points.length / 5));
      return {
        values: { slope: slope(steady), first: steady[0][1], last: steady.at(-1)[1] },
        points,
        checks: {},
      };
    },
  },
];
