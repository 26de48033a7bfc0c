import Redis from 'ioredis';

const LEASE_MS = 30_000;
const BLOCK_SECONDS = 5;

// A list of payloads, a sorted set of those that are out with the end of their lease, and a bell that is rung when the list was empty.
const SCRIPTS = {
  push: {
    numberOfKeys: 2,
    lua: `if redis.call('RPUSH', KEYS[1], unpack(ARGV)) == #ARGV then redis.call('RPUSH', KEYS[2], 1) end`,
  },
  claim: {
    numberOfKeys: 2,
    lua: `local job = redis.call('LPOP', KEYS[1])
      if job then redis.call('ZADD', KEYS[2], ARGV[1], job) end
      return job`,
  },
  ack: { numberOfKeys: 1, lua: `return redis.call('ZREM', KEYS[1], ARGV[1])` },
  // Acknowledges what is done and claims the next, in one script.
  turn: {
    numberOfKeys: 2,
    lua: `if #ARGV > 2 then redis.call('ZREM', KEYS[2], unpack(ARGV, 3)) end
      local jobs = ARGV[2] ~= '0' and redis.call('LPOP', KEYS[1], ARGV[2]) or {}
      local held = {}
      for i, job in ipairs(jobs) do
        held[2 * i - 1] = ARGV[1]
        held[2 * i] = job
      end
      if #jobs > 0 then redis.call('ZADD', KEYS[2], unpack(held)) end
      return jobs`,
  },
};
const BULK = 500;

/**
 * Not a queue: the fewest commands that one with a reservation and an acknowledgement needs. A claim and an ack for each job in as many
 * loops as `concurrency` says, or with `batch` one loop that acknowledges and claims so many in one script ('slots': as many as
 * `concurrency`). Nothing takes a lease that has run out, nothing retries, equal payloads are one.
 */
export async function open({ store, options }) {
  const settings = { scripts: SCRIPTS, maxRetriesPerRequest: null };
  const client = new Redis(store.url, settings);
  return {
    async dispatch(data) {
      await client.push('jobs', 'bell', JSON.stringify(data));
    },
    async bulk(list) {
      const pushes = [];
      for (let from = 0; from < list.length; from += BULK) {
        const bodies = list.slice(from, from + BULK).map((data) => JSON.stringify(data));
        pushes.push(client.push('jobs', 'bell', ...bodies));
      }
      await Promise.all(pushes);
    },
    async pending() {
      return (await client.llen('jobs')) + (await client.zcard('held'));
    },
    async work({ concurrency, onJob }) {
      const bell = new Redis(store.url, settings);
      const worker = { client, bell, going: true, onJob };
      const loops =
        options?.batch === undefined
          ? Array.from({ length: concurrency }, () => oneByOne(worker))
          : [inBatches(worker, options.batch === 'slots' ? concurrency : options.batch)];
      return {
        async stop() {
          worker.going = false;
          bell.disconnect();
          await Promise.all(loops);
        },
      };
    },
    async close() {
      await client.quit();
    },
  };
}

async function oneByOne(worker) {
  const { client } = worker;
  while (worker.going) {
    const body = await client.claim('jobs', 'held', Date.now() + LEASE_MS);
    if (body === null) {
      await heard(worker);
      continue;
    }
    if (worker.onJob(JSON.parse(body).n) === false) worker.going = false;
    await client.ack('held', body);
  }
}

async function inBatches(worker, size) {
  let done = [];
  while (worker.going || done.length > 0) {
    const bodies = await worker.client.turn('jobs', 'held', Date.now() + LEASE_MS, worker.going ? size : 0, ...done);
    for (const body of bodies) if (worker.onJob(JSON.parse(body).n) === false) worker.going = false;
    done = bodies;
    if (bodies.length === 0 && worker.going) await heard(worker);
  }
}

/** All loops of a worker wait for one ring. */
async function heard(worker) {
  worker.waiting ??= worker.bell
    .blpop('bell', BLOCK_SECONDS)
    // The worker is being stopped: its connection has gone.
    .catch(() => null)
    .finally(() => (worker.waiting = undefined));
  await worker.waiting;
}
