import { now, sleep } from '../lib/clock.mjs';
import { countStatements } from '../lib/counters.mjs';
import { payload, FIRST_NUMBER } from '../lib/payload.mjs';
import { transactions } from '../lib/pg.mjs';
import { serverWork } from '../lib/redis-commands.mjs';

const SETTLE_MS = 3_000;
// Until then a Postgres connection may hold back what it counted while the worker was starting.
const SERVER_SETTLE_MS = 11_000;

export const idleRows = [
  {
    id: 'idle',
    once: true,
    lines: [
      { metric: 'core', title: 'idle worker, % of a core', better: 'lower', plain: true },
      {
        metric: 'queries',
        title: 'idle worker, statements a second (Redis: commands, with those of scripts)',
        better: 'lower',
        plain: true,
      },
    ],
    excludes: ['raw-sqlite', 'raw-pg', 'raw-redis', 'raw-redis-batch'],
    async run({ openQueue, peer, store, quick }) {
      const root = peer.ours ? '../../package.json' : '../package.json';
      const counted = countStatements(peer.family, new URL(root, import.meta.url));
      const queue = await openQueue();
      await queue.dispatch(payload(FIRST_NUMBER));
      const worker = await queue.work({ concurrency: 10, onJob: () => true, waits: true });
      await sleep(peer.family === 'postgres' && !quick ? SERVER_SETTLE_MS : SETTLE_MS);
      const server = async () => {
        if (peer.family === 'postgres') return transactions(store.url);
        if (peer.family !== 'redis') return 0;
        return [...(await serverWork(store.url)).calls.values()].reduce((sum, calls) => sum + calls, 0);
      };
      const ran = await server();
      const before = { at: now(), cpu: process.cpuUsage(), statements: counted.statements };
      await sleep(quick ? 4_000 : 20_000);
      const cpu = process.cpuUsage(before.cpu);
      const seconds = (now() - before.at) / 1_000;
      const sent = counted.statements - before.statements;
      const runSince = (await server()) - ran;
      await worker.stop();
      await queue.close();
      // Threads and pools of their own are seen by the server alone; one transaction on Postgres is this cell's own question.
      const asked = peer.family === 'postgres' ? 1 : 0;
      const queries = Math.max(sent, runSince - asked) / seconds;
      return { values: { core: (cpu.user + cpu.system) / 10_000 / seconds, queries }, checks: {} };
    },
  },
];
