import { createPostgresBackend, Queue, Worker } from 'bullmq';

const NAME = 'noop';

/** BullMQ on Redis or on its PostgreSQL backend. Jobs are removed when they have ended, as ours are. */
export async function open({ family, store }) {
  const connection = family === 'redis' ? { url: store.url } : { connectionString: store.url, max: 10, migrate: true };
  const backend = family === 'redis' ? [] : [createPostgresBackend];
  const queue = new Queue(NAME, { connection, defaultJobOptions: JOB_OPTIONS }, ...backend);
  queue.on('error', (error) => console.error(`bullmq: ${error.message}`));
  await queue.waitUntilReady();
  return {
    ...producer(queue),
    async work({ concurrency, onJob }) {
      const handler = async (job) => {
        onJob(job.data.n);
      };
      const worker = new Worker(NAME, handler, { connection, concurrency, autorun: true }, ...backend);
      worker.on('error', (error) => console.error(`bullmq: ${error.message}`));
      await worker.waitUntilReady();
      return { stop: () => worker.close() };
    },
    async close() {
      await queue.close();
    },
  };
}

export const JOB_OPTIONS = { removeOnComplete: true, removeOnFail: true };

/** What a bench needs of a BullMQ queue that takes jobs. */
export function producer(queue) {
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
  };
}
