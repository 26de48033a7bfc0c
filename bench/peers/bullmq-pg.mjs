import { createPostgresBackend, Queue, Worker } from 'bullmq';

const NAME = 'noop';

/** BullMQ on its PostgreSQL backend. Jobs are removed when they have ended, as ours are. */
export async function open({ store }) {
  const connection = { connectionString: store.url, max: 10, migrate: true };
  const defaultJobOptions = { removeOnComplete: true, removeOnFail: true };
  const queue = new Queue(NAME, { connection, defaultJobOptions }, createPostgresBackend);
  queue.on('error', (error) => console.error(`bullmq: ${error.message}`));
  await queue.waitUntilReady();
  return {
    async dispatch(data, at) {
      await queue.add('job', data, at === undefined ? undefined : { delay: Math.max(0, at - Date.now()) });
    },
    async bulk(list) {
      await queue.addBulk(list.map((data) => ({ name: 'job', data })));
    },
    async pending() {
      const counts = await queue.getJobCounts('wait', 'active', 'delayed', 'prioritized', 'paused');
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
    async work({ concurrency, onJob }) {
      const handler = async (job) => {
        onJob(job.data.n);
      };
      const worker = new Worker(NAME, handler, { connection, concurrency, autorun: true }, createPostgresBackend);
      worker.on('error', (error) => console.error(`bullmq: ${error.message}`));
      await worker.waitUntilReady();
      return { stop: () => worker.close() };
    },
    async close() {
      await queue.close();
    },
  };
}
