import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';

const quiet = new Logger(() => (level, message) => {
  if (level === 'error') console.error(message);
});

/** Its defaults with `concurrentJobs` set, or with the local queue and batched completion of its performance guide. */
export async function open({ store, options }) {
  const pool = new pg.Pool({ connectionString: store.url, max: 20 });
  const utils = await makeWorkerUtils({ pgPool: pool, logger: quiet });
  await utils.migrate();
  const worker =
    options?.localQueue === undefined ? {} : { localQueue: { size: options.localQueue }, completeJobBatchDelay: 0 };
  return {
    async dispatch(data, at) {
      await utils.addJob('noop', data, at === undefined ? undefined : { runAt: new Date(at) });
    },
    async bulk(list) {
      await utils.addJobs(list.map((data) => ({ identifier: 'noop', payload: data })));
    },
    async pending() {
      return Number((await pool.query('SELECT count(*) AS n FROM graphile_worker._private_jobs')).rows[0].n);
    },
    async work({ concurrency, onJob }) {
      const runner = await run({
        pgPool: pool,
        noHandleSignals: true,
        preset: { worker: { concurrentJobs: concurrency, logger: quiet, ...worker } },
        taskList: {
          noop: (data) => {
            onJob(data.n);
          },
        },
      });
      return { stop: () => runner.stop() };
    },
    async close() {
      await utils.release();
      await pool.end();
    },
  };
}
