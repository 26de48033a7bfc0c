import { now } from '../lib/clock.mjs';
import { FIRST_NUMBER, payload } from '../lib/payload.mjs';
import { inFlight } from '../lib/senders.mjs';
import { median } from '../lib/stats.mjs';

const WARM = 50;

function steady({ id, title, width, bytes, quick }) {
  return {
    id,
    quick,
    lines: [{ metric: 'rate', title, better: 'higher' }],
    async run({ openQueue, seconds }) {
      const queue = await openQueue();
      await inFlight(WARM, width, (i) => queue.dispatch(payload(FIRST_NUMBER + i, bytes)));
      const from = now();
      const until = from + seconds * 1_000;
      const sent = await inFlight(
        Infinity,
        width,
        (i) => queue.dispatch(payload(FIRST_NUMBER + WARM + i, bytes)),
        () => now() >= until,
      );
      const rate = (sent / (now() - from)) * 1_000;
      const lost = WARM + sent - (await queue.pending());
      await queue.close();
      return { values: { rate }, checks: { lost } };
    },
  };
}

export const dispatchRows = [
  steady({ id: 'dispatch.serial', title: 'dispatch one by one, jobs/s', width: 1, quick: true }),
  steady({ id: 'dispatch.c100', title: 'dispatch, 100 in flight, jobs/s', width: 100, quick: true }),
  {
    id: 'dispatch.bulk10k',
    quick: true,
    lines: [{ metric: 'rate', title: 'dispatch in bulk of 10,000, jobs/s', better: 'higher' }],
    async run({ openQueue, quick }) {
      const queue = await openQueue();
      const jobs = (from, length) => Array.from({ length }, (_, i) => payload(FIRST_NUMBER + from + i));
      await queue.bulk(jobs(0, 1_000));
      const times = [];
      const bulks = quick ? 3 : 10;
      for (let i = 0; i < bulks; i += 1) {
        const list = jobs(1_000 + i * 10_000, 10_000);
        const from = now();
        await queue.bulk(list);
        times.push(now() - from);
      }
      const lost = 1_000 + bulks * 10_000 - (await queue.pending());
      await queue.close();
      return { values: { rate: 10_000_000 / median(times) }, checks: { lost } };
    },
  },
  steady({ id: 'dispatch.serial.1k', title: 'dispatch one by one, 1 kB, jobs/s', width: 1, bytes: 1_000 }),
  steady({ id: 'dispatch.serial.10k', title: 'dispatch one by one, 10 kB, jobs/s', width: 1, bytes: 10_000 }),
];
