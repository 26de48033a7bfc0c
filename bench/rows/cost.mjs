import { countStatements } from '../lib/counters.mjs';
import { fill } from '../lib/fill.mjs';
import { FIRST_NUMBER, payload } from '../lib/payload.mjs';
import { one } from '../lib/pg.mjs';
import { workUntil } from '../lib/work-until.mjs';

export const costRows = [
  {
    id: 'cost',
    once: true,
    families: ['sqlite', 'postgres'],
    lines: [
      { metric: 'dispatchStatements', title: 'statements a dispatched job', better: 'lower', plain: true },
      { metric: 'dispatchCommits', title: 'transactions a dispatched job', better: 'lower', plain: true },
      {
        metric: 'dispatchWal',
        title: 'WAL bytes a dispatched job',
        better: 'lower',
        plain: true,
        families: ['postgres'],
      },
      {
        metric: 'processStatements',
        title: 'statements a processed job, concurrency 10',
        better: 'lower',
        plain: true,
      },
      { metric: 'processCommits', title: 'transactions a processed job, concurrency 10', better: 'lower', plain: true },
      {
        metric: 'processWal',
        title: 'WAL bytes a processed job',
        better: 'lower',
        plain: true,
        families: ['postgres'],
      },
      { metric: 'cpu', title: 'worker CPU a job, concurrency 10, µs', better: 'lower', plain: true },
    ],
    async run({ openQueue, peer, store, seconds, quick }) {
      const root = peer.ours || peer.module === 'raw-sqlite' ? '../../package.json' : '../package.json';
      const counted = countStatements(peer.family, new URL(root, import.meta.url));
      const snapshot = async () => ({ ...counted, wal: await walPosition(peer, store) });
      const per = (before, after, jobs) => ({
        statements: (after.statements - before.statements) / jobs,
        commits: (after.commits - before.commits) / jobs,
        wal: (after.wal - before.wal) / jobs,
      });

      const queue = await openQueue();
      await queue.dispatch(payload(FIRST_NUMBER));
      const dispatched = quick ? 300 : 2_000;
      const opened = await snapshot();
      for (let i = 1; i <= dispatched; i += 1) await queue.dispatch(payload(FIRST_NUMBER + i));
      const dispatch = per(opened, await snapshot(), dispatched);

      const jobs = quick ? 4_000 : 30_000;
      await fill(queue, jobs - dispatched - 1);
      const filled = await snapshot();
      const { log, cpuMicros } = await workUntil(queue, { concurrency: 10, seconds: seconds * 2, jobs });
      const process = per(filled, await snapshot(), log.numbers.length);
      await queue.close();
      return {
        values: {
          dispatchStatements: dispatch.statements,
          dispatchCommits: dispatch.commits,
          dispatchWal: dispatch.wal,
          processStatements: process.statements,
          processCommits: process.commits,
          processWal: process.wal,
          cpu: cpuMicros,
        },
        checks: {},
      };
    },
  },
];

async function walPosition({ family }, { url }) {
  if (family !== 'postgres') return Number.NaN;
  return Number(await one(url, `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')`));
}
