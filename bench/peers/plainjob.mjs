import Database from 'better-sqlite3';
import { better, defineQueue, defineWorker, JobStatus } from 'plainjob';

const quiet = { error: console.error, warn() {}, info() {}, debug() {} };

/** As its README shows it: WAL and synchronous=NORMAL are its own settings; it runs one job at a time and polls each second. */
export async function open({ store }) {
  const queue = defineQueue({ connection: better(new Database(store.file)), logger: quiet });
  return {
    async dispatch(data, at) {
      queue.add('noop', data, at === undefined ? {} : { delay: Math.max(0, at - Date.now()) });
    },
    async bulk(list) {
      queue.addMany('noop', list);
    },
    async pending() {
      return queue.countJobs({ status: JobStatus.Pending }) + queue.countJobs({ status: JobStatus.Processing });
    },
    async work({ onJob }) {
      let ended;
      const worker = defineWorker(
        'noop',
        (job) => {
          // It loops on microtasks: nobody else could stop it while there are jobs.
          if (onJob(JSON.parse(job.data).n) === false) void worker.stop();
        },
        { queue, logger: quiet },
      );
      // A worker that has jobs never yields, so its start is put off until the caller has what it needs to stop it.
      setImmediate(() => {
        ended = worker.start();
      });
      return {
        async stop() {
          await worker.stop();
          await ended;
        },
      };
    },
    async close() {
      queue.close();
    },
  };
}
