import Redis from 'ioredis';

/** Nothing on the disk, or the log of commands as the defaults of a redis.conf write it. */
const IN_MEMORY = { appendonly: 'no' };
const LOGGED = { appendonly: 'yes', appendfsync: 'everysec', 'auto-aof-rewrite-percentage': 100 };
/** What ends a server whose bench has been killed knows it by the folder in its command line, which Redis would replace by a title. */
const FINDABLE = { 'set-proc-title': 'no' };

/**
 * The Redis of the benchmark: a database of the given server, else a private server for each cell, so that none inherits another one's
 * memory, scripts or appendonly file.
 *
 * @returns `{ version, open }`, where `open()` gives an empty database with its `drop`; undefined with the reason printed where there is
 * none
 */
export async function openRedis({ redis: given, appendonly }) {
  try {
    return given === undefined ? await privateServers(appendonly) : await databaseOf(given);
  } catch (error) {
    process.stderr.write(`Redis is left out: ${error.message}\n`);
    return undefined;
  }
}

async function privateServers(appendonly) {
  const { startRedis } = await import('../../test/support/redis-servers.mjs');
  const open = async () => {
    const server = await startRedis({ settings: { ...(appendonly ? LOGGED : IN_MEMORY), ...FINDABLE } });
    return { store: { url: server.url }, drop: () => server.close() };
  };
  const { store, drop } = await open();
  try {
    return { version: await describe(store.url), open };
  } finally {
    await drop();
  }
}

/** Emptied after each cell; the first one only runs where there is nothing to lose. */
async function databaseOf(url) {
  const keys = await withRedis(url, (client) => client.dbsize());
  if (keys > 0)
    throw new Error(`the database of --redis holds ${keys} keys. Give an empty one, as redis://host:6379/9.`);
  const drop = () => withRedis(url, (client) => client.flushdb('SYNC'));
  return { version: await describe(url), open: async () => ({ store: { url }, drop }) };
}

/** One connection for the harness's own questions. */
export async function withRedis(url, work) {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

export async function info(url, section) {
  return parseInfo(await withRedis(url, (client) => client.info(section)));
}

export function parseInfo(text) {
  const pairs = text.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(pairs.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

async function describe(url) {
  const { redis_version: version } = await info(url, 'server');
  const { aof_enabled: appends } = await info(url, 'persistence');
  return `${version} (${appends === '1' ? `appendonly ${await fsyncOf(url)}` : 'appendonly no'})`;
}

async function fsyncOf(url) {
  return withRedis(url, async (client) => (await client.config('GET', 'appendfsync'))[1]);
}
