import { fill } from '../lib/fill.mjs';
import { FIRST_NUMBER, payload } from '../lib/payload.mjs';
import { serverWork, splitCalls, watchOrigins, workBetween } from '../lib/redis-commands.mjs';
import { workUntil } from '../lib/work-until.mjs';

const plain = (metric, title) => ({ metric, title, better: 'lower', plain: true });

export const costRedisRows = [
  {
    id: 'cost.redis',
    once: true,
    families: ['redis'],
    lines: [
      plain('dispatchTrips', 'commands sent for a dispatched job'),
      plain('dispatchInner', 'commands run by scripts for a dispatched job'),
      plain('dispatchServer', 'server CPU a dispatched job, µs'),
      ...[1, 10, 100].flatMap((concurrency) => [
        plain(`trips${concurrency}`, `commands sent for a processed job, concurrency ${concurrency}`),
        plain(`inner${concurrency}`, `commands run by scripts for a processed job, concurrency ${concurrency}`),
        plain(`server${concurrency}`, `server CPU a processed job, concurrency ${concurrency}, µs`),
        plain(`cpu${concurrency}`, `worker CPU a job, concurrency ${concurrency}, µs`),
      ]),
    ],
    async run({ openQueue, store: { url }, seconds, quick }) {
      const queue = await openQueue();
      const dispatch = async (count) => {
        for (let i = 0; i < count; i += 1) await queue.dispatch(payload(FIRST_NUMBER + i));
      };
      const work = async (concurrency, jobs) => {
        const { log, cpuMicros } = await workUntil(queue, { concurrency, seconds: seconds * 2, jobs });
        return { done: log.numbers.length, cpuMicros };
      };
      // A sample says whose each command is; it also opens the connections and loads the scripts.
      const shareOfClients = await watchOrigins(url, async () => {
        await dispatch(500);
        await work(10, 500);
      });
      const counted = async (action, jobsOf) => {
        const before = await serverWork(url);
        const result = await action();
        const { calls, cpuMicros } = workBetween(before, await serverWork(url));
        const jobs = jobsOf(result);
        const { trips, inner } = splitCalls(calls, shareOfClients);
        return { trips: trips / jobs, inner: inner / jobs, server: cpuMicros / jobs, worker: result?.cpuMicros };
      };

      const sent = quick ? 300 : 2_000;
      const dispatched = await counted(
        () => dispatch(sent),
        () => sent,
      );
      const values = {
        dispatchTrips: dispatched.trips,
        dispatchInner: dispatched.inner,
        dispatchServer: dispatched.server,
      };
      const jobs = quick ? 4_000 : 30_000;
      for (const concurrency of [1, 10, 100]) {
        await fill(queue, jobs - (await queue.pending()));
        const of = await counted(
          () => work(concurrency, jobs),
          ({ done }) => done,
        );
        values[`trips${concurrency}`] = of.trips;
        values[`inner${concurrency}`] = of.inner;
        values[`server${concurrency}`] = of.server;
        values[`cpu${concurrency}`] = of.worker;
      }
      await queue.close();
      return { values, checks: {} };
    },
  },
];
