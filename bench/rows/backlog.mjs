import { now } from '../lib/clock.mjs';
import { fill } from '../lib/fill.mjs';
import { tally } from '../lib/handled.mjs';
import { FIRST_NUMBER, payload } from '../lib/payload.mjs';
import { inFlight } from '../lib/senders.mjs';
import { workUntil } from '../lib/work-until.mjs';

function backlog(waiting, families) {
  const jobs = waiting.toLocaleString('en-US');
  return {
    id: `backlog.${waiting / 1_000}k`,
    once: true,
    families,
    lines: [
      { metric: 'dispatch', title: `dispatch one by one with ${jobs} waiting, jobs/s`, better: 'higher' },
      { metric: 'process', title: `process, concurrency 10, with ${jobs} waiting, jobs/s`, better: 'higher' },
    ],
    async run({ openQueue, seconds }) {
      const queue = await openQueue();
      await fill(queue, waiting);
      const from = now();
      const until = from + seconds * 1_000;
      const sent = await inFlight(
        Infinity,
        1,
        (i) => queue.dispatch(payload(FIRST_NUMBER + waiting + i)),
        () => now() >= until,
      );
      const dispatch = (sent / (now() - from)) * 1_000;
      const filled = waiting + sent;
      const { log } = await workUntil(queue, { concurrency: 10, seconds, jobs: filled });
      const { rate, checks } = await tally([log], { filled, queue });
      await queue.close();
      return { values: { dispatch, process: rate }, checks };
    },
  };
}

const SQL = ['memory', 'sqlite', 'postgres'];

export const backlogRows = [
  backlog(10_000),
  backlog(50_000, SQL),
  backlog(100_000, ['redis']),
  backlog(200_000, SQL),
  backlog(1_000_000, ['redis']),
];
