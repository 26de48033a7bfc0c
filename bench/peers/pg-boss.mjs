import { PgBoss } from 'pg-boss';
import { one } from '../lib/pg.mjs';

const QUEUE = 'noop';

/**
 * `work()` waits half a second or more between two fetches, so where jobs a second are measured they are fetched and completed in a
 * loop, `concurrency` at a time; where latency is, `work()` with LISTEN/NOTIFY and the shortest polling it allows.
 */
export async function open({ store }) {
  const boss = new PgBoss({
    connectionString: store.url,
    max: 10,
    useListenNotify: true,
    supervise: true,
    schedule: false,
  });
  boss.on('error', (error) => console.error(`pg-boss: ${error.message}`));
  await boss.start();
  await boss.createQueue(QUEUE, { notify: true });
  return {
    async dispatch(data, at) {
      await boss.send(QUEUE, data, at === undefined ? {} : { startAfter: new Date(at) });
    },
    async bulk(list) {
      await boss.insert(
        QUEUE,
        list.map((data) => ({ data })),
      );
    },
    async pending() {
      const sql = `SELECT count(*) FROM pgboss.job WHERE state IN ('created', 'retry', 'active')`;
      return Number(await one(store.url, sql));
    },
    async work({ concurrency, onJob, waits = false }) {
      return waits ? listen(boss, concurrency, onJob) : loop(boss, concurrency, onJob);
    },
    async close() {
      await boss.stop({ graceful: false, close: true });
    },
  };
}

function loop(boss, concurrency, onJob) {
  let going = true;
  const run = async () => {
    while (going) {
      const jobs = await boss.fetch(QUEUE, { batchSize: concurrency });
      for (const job of jobs) if (onJob(job.data.n) === false) going = false;
      const ids = jobs.map(({ id }) => id);
      if (ids.length > 0) await boss.complete(QUEUE, ids);
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const ended = run();
  return {
    async stop() {
      going = false;
      await ended;
    },
  };
}

async function listen(boss, concurrency, onJob) {
  await boss.work(
    QUEUE,
    {
      batchSize: concurrency,
      pollingIntervalSeconds: 0.5,
      notifyPollingIntervalSeconds: 0.5,
      burstWhenBatchFull: true,
    },
    async (jobs) => {
      for (const job of jobs) onJob(job.data.n);
    },
  );
  return { stop: () => boss.offWork(QUEUE) };
}
