import { existsSync, statSync } from 'node:fs';
import { fill } from '../lib/fill.mjs';
import { tableBytes } from '../lib/pg.mjs';
import { info } from '../lib/redis.mjs';

async function stored({ family, store }) {
  if (family === 'postgres') return tableBytes(store.url);
  if (family === 'redis') return Number((await info(store.url, 'memory')).used_memory);
  // Closing the last handle has folded the write-ahead log into the file.
  return [store.file, `${store.file}-wal`].reduce((sum, file) => sum + (existsSync(file) ? statSync(file).size : 0), 0);
}

export const storageRows = [
  {
    id: 'storage',
    quick: true,
    once: true,
    families: ['sqlite', 'postgres', 'redis'],
    lines: [{ metric: 'bytes', title: 'stored bytes of a queued job (payload 25 bytes)', better: 'lower' }],
    async run({ openQueue, peer, store, quick }) {
      const place = { family: peer.family, store };
      // Redis grows its tables by doubling them, and a peer's log of events is the same size for many jobs as for few.
      const jobs = (quick ? 10_000 : 30_000) * (peer.family === 'redis' ? 3 : 1);
      const before = await after(openQueue, 1).then(() => stored(place));
      await after(openQueue, jobs);
      return { values: { bytes: ((await stored(place)) - before) / jobs }, checks: {} };
    },
  },
];

async function after(openQueue, jobs) {
  const queue = await openQueue();
  await fill(queue, jobs);
  await queue.close();
}
