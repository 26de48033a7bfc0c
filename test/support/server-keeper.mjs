import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { startRedis, startRedisCluster } from './redis-servers.mjs';
import { findServer, standIn, startServer } from './servers.mjs';

/** @typedef {import('./servers.mjs').SqlServerKind} SqlServerKind */
/** @typedef {import('./servers.mjs').SqlServer} SqlServer */

/** Many spec files and their child processes at once, each with pools. */
const SETTINGS = { max_connections: 300 };
/** Nothing has to outlive these. */
const REDIS_SETTINGS = { appendonly: 'no', maxclients: 1_000 };
const NAMES = { postgres: 'PostgreSQL', mariadb: 'MariaDB', mysql: 'MySQL' };

/**
 * Keeps the servers that all spec files of one run share. Each is started for the first spec that asks; this process owns them, as the
 * workers of Jest come and go.
 */
export class ServerKeeper {
  /** @type {Map<SqlServerKind, Promise<SqlServer>>} */
  #servers = new Map();
  /** @type {Set<string>} */
  #ran = new Set();
  /** @type {Promise<import('./redis-servers.mjs').RedisServer> | undefined} */
  #redis;
  /** @type {Promise<import('./redis-servers.mjs').RedisCluster> | undefined} */
  #cluster;
  #http = createServer((request, response) => {
    this.#answer(request.url ?? '/').then(
      (body) => response.end(JSON.stringify(body)),
      (error) => response.writeHead(500).end(String(error?.message ?? error)),
    );
  });

  /** @returns {Promise<string>} where specs ask */
  async open() {
    await new Promise((resolve) => this.#http.listen(0, '127.0.0.1', () => resolve(undefined)));
    this.#http.unref();
    const address = /** @type {import('node:net').AddressInfo} */ (this.#http.address());
    return `http://127.0.0.1:${address.port}`;
  }

  /**
   * Ends what was started, and says on standard error which servers took part; instead in the file `QUEUE_TEST_SERVERS_REPORT` where that
   * is given, a line each, added to what is there.
   */
  async close() {
    this.#http.close();
    this.#http.closeAllConnections();
    const all = [...this.#servers.values(), this.#redis, this.#cluster];
    await Promise.allSettled(all.map(async (server) => (await server)?.close()));
    const ran = [...this.#ran].sort();
    const report = process.env.QUEUE_TEST_SERVERS_REPORT;
    if (report) appendFileSync(report, ran.map((line) => `${line}\n`).join(''));
    // Standard output may be the report of Jest.
    else if (ran.length > 0) process.stderr.write(`Servers: ${ran.join('; ')}.\n`);
  }

  /** @param {string} path `/kind`, `/kind/fresh`, `/kind/drop/name`, `/kind/private`, and of Redis also `/redis-cluster` */
  async #answer(path) {
    const [asked, verb, name] = path.slice(1).split('/');
    if (asked === 'redis' || asked === 'redis-cluster') return this.#answerRedis(asked === 'redis-cluster', verb, name);
    const kind = /** @type {SqlServerKind} */ (asked);
    const stands = standIn(kind);
    const named = `${NAMES[stands]} ${findServer(stands)?.version}`;
    this.#ran.add(stands === kind ? named : `MySQL's dialect ran on ${named}`);
    // A spec starts one of its own, and only says so.
    if (verb === 'private') return { kind: stands };
    const server = await this.#server(stands);
    if (verb === 'drop') return server.dropDatabase(String(name));
    const about = { url: as(kind, server.url), ran: server.kind, version: server.version };
    if (verb !== 'fresh') return about;
    const database = `q_${randomUUID().replaceAll('-', '').slice(0, 16)}`;
    const { url, adminUrl } = await server.createDatabase(database);
    return { ...about, url: as(kind, url), adminUrl: as(kind, adminUrl), database };
  }

  /**
   * @param {boolean} isCluster
   * @param {string | undefined} verb
   * @param {string | undefined} prefix
   */
  async #answerRedis(isCluster, verb, prefix) {
    this.#ran.add(`Redis ${findServer('redis')?.version}${isCluster ? ' as a cluster' : ''}`);
    if (verb === 'private') return {};
    if (isCluster) {
      const cluster = await (this.#cluster ??= startRedisCluster({ settings: REDIS_SETTINGS }));
      if (verb === 'drop') await Promise.all(cluster.nodes.map((node) => dropKeys(node, String(prefix))));
      return { nodes: cluster.addresses, version: cluster.version };
    }
    const redis = await (this.#redis ??= startRedis({ settings: REDIS_SETTINGS }));
    if (verb === 'drop') await dropKeys(redis, String(prefix));
    return { url: redis.url, version: redis.version };
  }

  /** @param {SqlServerKind} kind */
  #server(kind) {
    let server = this.#servers.get(kind);
    if (server === undefined) {
      server = startServer(kind, { settings: SETTINGS });
      this.#servers.set(kind, server);
    }
    return server;
  }
}

/**
 * Everything whose name begins so.
 *
 * @param {import('./redis-servers.mjs').RedisServer} node
 * @param {string} prefix
 */
async function dropKeys(node, prefix) {
  let cursor = '0';
  do {
    const page = await node.command('SCAN', cursor, 'MATCH', `${prefix}*`, 'COUNT', 1_000);
    const [next, keys] = /** @type {[string, string[]]} */ (page);
    // Of several slots: one command each, as a cluster's node wants it.
    for (const key of keys) await node.command('UNLINK', key);
    cursor = next;
  } while (cursor !== '0');
}

/**
 * @param {SqlServerKind} kind
 * @param {string} url
 */
function as(kind, url) {
  return url.replace(/^\w+:/, `${kind}:`);
}
