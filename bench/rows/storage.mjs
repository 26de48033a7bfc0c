import { existsSync, statSync } from 'node:fs';
import { fill } from '../lib/fill.mjs';
import { tableBytes } from '../lib/pg.mjs';

async function stored({ family, store }) {
  if (family === 'postgres') return tableBytes(store.url);
  // Closing the last handle has folded the write-ahead log into the file.
  return [store.file, `${store.file}-wal`].reduce((sum, file) => sum + (existsSync(file) ? statSync(file).size : 0), 0);
}

export const storageRows = [
  {
    id: 'storage',
    quick: true,
    once: true,
    families: ['sqlite', 'postgres'],
    lines: [{ metric: 'bytes', title: 'stored bytes of a queued job (payload 25 bytes)', better: 'lower' }],
    async run({ openQueue, peer, store, quick }) {
      const place = { family: peer.family, store };
      const jobs = quick ? 10_000 : 30_000;
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
