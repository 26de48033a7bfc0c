import { setTimeout as sleep } from 'node:timers/promises';
import { RedisServer, started } from './redis-server.mjs';

/** @typedef {import('./redis-servers.mjs').SentinelOptions} SentinelOptions */

const NAME = 'main';
const PATIENCE_MS = 30_000;

/** @param {SentinelOptions} [options] */
export async function startRedisSentinel({ replicas = 1, downAfterMs = 1_000, ...options } = {}) {
  const group = new RedisSentinel();
  try {
    group.servers.push(await started(new RedisServer(options)));
    const [primary] = group.servers;
    const settings = { ...options.settings, replicaof: `127.0.0.1 ${primary.port}` };
    for (let n = 0; n < replicas; n += 1) group.servers.push(await started(new RedisServer({ ...options, settings })));
    const config = () =>
      [
        `sentinel monitor ${NAME} 127.0.0.1 ${primary.port} 1`,
        `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
        `sentinel failover-timeout ${NAME} 5000`,
        '',
      ].join('\n');
    group.sentinel = await started(new RedisServer({ sentinel: true, config }));
    await group.settled();
    return group;
  } catch (error) {
    await group.close();
    throw error;
  }
}

class RedisSentinel {
  name = NAME;
  /** @type {RedisServer[]} the first is the primary at the start */
  servers = [];
  /** @type {RedisServer | undefined} */
  sentinel;

  get options() {
    return { sentinels: [{ host: '127.0.0.1', port: this.sentinel?.port ?? 0 }], name: NAME };
  }

  /** The server that the sentinel names as primary now. */
  async primary() {
    const answer = await this.sentinel?.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME);
    const port = Number(/** @type {string[]} */ (answer)[1]);
    return this.servers.find((server) => server.port === port);
  }

  /** Waits until the sentinel knows a primary that is one, and all other running servers follow it. */
  async settled() {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      if (await this.#inOrder().catch(() => false)) return;
      if (Date.now() > end) throw new Error(`Not in order within ${PATIENCE_MS} ms:\n${this.sentinel?.log()}`);
      await sleep(50);
    }
  }

  /** Hands the part of the primary to a replica, both being up, and waits for it. */
  async failover() {
    const before = await this.primary();
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        await this.sentinel?.command('SENTINEL', 'FAILOVER', NAME);
        return await this.promoted(before);
      } catch (error) {
        // It does not know enough of the replica yet, or is not through with the last one.
        if (!/NOGOODSLAVE|INPROG/.test(String(error)) || Date.now() > end) throw error;
        await sleep(100);
      }
    }
  }

  /**
   * Waits until another server is the primary.
   *
   * @param {RedisServer | undefined} before
   */
  async promoted(before) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const now = await this.primary().catch(() => undefined);
      const is = now !== undefined && now !== before && (await now.info('replication').catch(() => undefined))?.role;
      if (is === 'master') return now;
      if (Date.now() > end) throw new Error(`No other primary within ${PATIENCE_MS} ms:\n${this.sentinel?.log()}`);
      await sleep(50);
    }
  }

  /** Waits until every running server has what the primary has by now. */
  async replicated() {
    const primary = await this.primary();
    const wanted = Number((await primary?.info('replication'))?.master_repl_offset);
    const end = Date.now() + PATIENCE_MS;
    for (const other of this.servers) {
      if (other === primary || other.pid === undefined) continue;
      while (!(Number((await other.info('replication')).slave_repl_offset) >= wanted)) {
        if (Date.now() > end) throw new Error(`Not replicated within ${PATIENCE_MS} ms.`);
        await sleep(10);
      }
    }
  }

  async close() {
    await Promise.all([this.sentinel, ...this.servers].map(async (server) => server?.close()));
  }

  async #inOrder() {
    const primary = await this.primary();
    if (primary?.pid === undefined) return false;
    const others = this.servers.filter((server) => server !== primary && server.pid !== undefined);
    if ((await primary.info('replication')).role !== 'master') return false;
    for (const other of others) {
      const { role, master_link_status: link } = await other.info('replication');
      if (role !== 'slave' || link !== 'up') return false;
    }
    const known = /** @type {unknown[]} */ (await this.sentinel?.command('SENTINEL', 'REPLICAS', NAME));
    return known.length >= others.length;
  }
}
