import { fill } from '../lib/fill.mjs';
import { tally } from '../lib/handled.mjs';
import { FIRST_NUMBER, payload } from '../lib/payload.mjs';
import { median, ratioWithinRounds } from '../lib/stats.mjs';
import { workUntil } from '../lib/work-until.mjs';

/** How often plain jobs and members take turns: what changes on the machine falls on both. The first turn warms up. */
const TURNS = 5;
const JOBS = { memory: 80_000, sqlite: 20_000, postgres: 10_000, redis: 25_000 };

function batch(concurrency) {
  return {
    id: `batch.c${concurrency}`,
    quick: true,
    ours: true,
    lines: [
      { metric: 'plain', title: `process jobs of no batch, concurrency ${concurrency}, jobs/s`, better: 'higher' },
      {
        metric: 'members',
        title: `process members of one batch, concurrency ${concurrency}, jobs/s`,
        better: 'higher',
      },
      {
        metric: 'share',
        title: `members to jobs of no batch, concurrency ${concurrency}`,
        better: 'higher',
        plain: true,
      },
      {
        metric: 'shareOfCpu',
        title: `jobs of no batch to members by worker CPU a job, concurrency ${concurrency}`,
        better: 'higher',
        plain: true,
      },
    ],
    async run({ openQueue, peer, quick }) {
      const queue = await openQueue();
      const jobs = JOBS[peer.family] / (quick ? 2 : 1);
      const list = Array.from({ length: jobs }, (_, i) => payload(FIRST_NUMBER + i));
      const kinds = { plain: () => fill(queue, jobs), members: () => queue.batch(list) };
      const rates = { plain: [], members: [] };
      const cpu = { plain: [], members: [] };
      const checks = { dup: 0, lost: 0, unacked: 0, uncounted: 0 };
      for (let turn = 0; turn < TURNS; turn += 1) {
        const order = turn % 2 === 0 ? ['plain', 'members'] : ['members', 'plain'];
        for (const kind of order) {
          const sent = await kinds[kind]();
          const { log, cpuMicros } = await workUntil(queue, { concurrency, seconds: Infinity, jobs });
          const told = await tally([log], { filled: jobs, queue });
          for (const [what, count] of Object.entries(told.checks)) checks[what] += count;
          if (kind === 'members') checks.uncounted += await sent.open();
          if (turn === 0) continue;
          rates[kind].push(told.rate);
          cpu[kind].push(cpuMicros);
        }
      }
      await queue.close();
      const values = {
        plain: median(rates.plain),
        members: median(rates.members),
        share: ratioWithinRounds(rates.members, rates.plain),
        shareOfCpu: ratioWithinRounds(cpu.plain, cpu.members),
      };
      return { values, checks };
    },
  };
}

export const batchRows = [batch(10), batch(100)];
