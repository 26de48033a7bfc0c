import { setTimeout as sleep } from 'node:timers/promises';
import { BUS_DISTANCE, RedisServer, started } from './redis-server.mjs';

/** @typedef {import('./redis-servers.mjs').ClusterOptions} ClusterOptions */

const SLOTS = 16_384;
const PATIENCE_MS = 30_000;
/** Moved at once by MIGRATE. */
const KEYS_AT_ONCE = 100;

/** @param {ClusterOptions} [options] */
export async function startRedisCluster({ masters = 3, replicas = 0, nodeTimeoutMs = 1_000, ...options } = {}) {
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-node-timeout': nodeTimeoutMs,
    'cluster-replica-validity-factor': 0,
    // A node whose slots are not to be had refuses those, and serves its own.
    'cluster-require-full-coverage': 'no',
    ...options.settings,
  };
  const cluster = new RedisCluster(masters, replicas);
  try {
    const count = masters * (1 + replicas);
    const starting = Array.from({ length: count }, () => started(new RedisServer({ ...options, settings })));
    const settled = await Promise.allSettled(starting);
    for (const one of settled) if (one.status === 'fulfilled') cluster.nodes.push(one.value);
    await Promise.all(starting);
    await cluster.form();
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

class RedisCluster {
  /** @type {RedisServer[]} */
  nodes = [];

  /**
   * @param {number} masters
   * @param {number} replicas of each
   */
  constructor(masters, replicas) {
    this.masters = masters;
    this.replicas = replicas;
  }

  get addresses() {
    return this.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  get version() {
    return this.nodes[0].version;
  }

  async form() {
    const { nodes, masters } = this;
    const [first] = nodes;
    await Promise.all(nodes.map((node, n) => node.command('CLUSTER', 'SET-CONFIG-EPOCH', n + 1)));
    await Promise.all(
      nodes.slice(0, masters).map((node, n) => {
        const from = Math.ceil((n * SLOTS) / masters);
        const to = Math.ceil(((n + 1) * SLOTS) / masters);
        return node.command('CLUSTER', 'ADDSLOTS', ...Array.from({ length: to - from }, (_, slot) => from + slot));
      }),
    );
    for (const node of nodes.slice(1)) {
      await first.command('CLUSTER', 'MEET', '127.0.0.1', node.port, node.port + BUS_DISTANCE);
    }
    await this.until('all nodes know each other', async (node) => {
      const known = await this.#known(node);
      return known.length === nodes.length && known.every(({ flags }) => !flags.includes('handshake'));
    });
    const ids = await Promise.all(nodes.map(async (node) => String(await node.command('CLUSTER', 'MYID'))));
    await Promise.all(nodes.slice(masters).map((node, n) => node.command('CLUSTER', 'REPLICATE', ids[n % masters])));
    await this.settled();
  }

  /** Waits until every running node sees all slots served, and its replica in step. */
  async settled() {
    await this.until('the cluster is in order', async (node) => {
      const info = String(await node.command('CLUSTER', 'INFO'));
      if (!/cluster_state:ok/.test(info) || !new RegExp(`cluster_slots_ok:${SLOTS}`).test(info)) return false;
      const known = await this.#known(node);
      const replicas = known.filter(
        ({ flags }) => flags.includes('slave') && !flags.some((flag) => flag.startsWith('fail')),
      );
      const running = this.nodes.filter(({ pid }) => pid !== undefined).length;
      if (replicas.length < running - this.masters) return false;
      const { role, master_link_status: link } = await node.info('replication');
      return role === 'master' || link === 'up';
    });
  }

  /** @param {string} key */
  async slotOf(key) {
    return Number(await this.#running().command('CLUSTER', 'KEYSLOT', key));
  }

  /**
   * The node that serves a key now.
   *
   * @param {string} key
   */
  async masterOf(key) {
    const slot = await this.slotOf(key);
    for (const node of this.nodes) {
      if (node.pid === undefined) continue;
      const me = (await this.#known(node)).find(({ flags }) => flags.includes('myself'));
      if (me?.flags.includes('master') && me.slots.some(([from, to]) => from <= slot && slot <= to)) return node;
    }
    throw new Error(`No running node serves ${key}.`);
  }

  /**
   * Moves a slot with what is in it, as `redis-cli --cluster reshard` does: it goes on being served.
   *
   * @param {number} slot
   * @param {RedisServer} from
   * @param {RedisServer} to
   * @param {{ pauseMs?: number }} [how]
   */
  async migrate(slot, from, to, { pauseMs = 0 } = {}) {
    const [source, target] = await Promise.all([from, to].map((node) => node.command('CLUSTER', 'MYID')));
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(source));
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(target));
    let moved = 0;
    for (;;) {
      const keys = /** @type {string[]} */ (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, KEYS_AT_ONCE));
      if (keys.length === 0) break;
      // One at a time when there is a pause: the slot is then split between the nodes for a while.
      const now = pauseMs > 0 ? keys.slice(0, 1) : keys;
      await from.command('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...now);
      moved += now.length;
      if (pauseMs > 0) await sleep(pauseMs);
    }
    for (const node of [to, from, ...this.nodes.filter((other) => other !== to && other !== from)]) {
      if (node.pid === undefined) continue;
      const { role } = await node.info('replication');
      if (role === 'master') await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', String(target));
    }
    return moved;
  }

  async close() {
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  /**
   * @param {string} what
   * @param {(node: RedisServer) => Promise<boolean>} holds for every running node
   */
  async until(what, holds) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const running = this.nodes.filter(({ pid }) => pid !== undefined);
      const answers = await Promise.all(running.map((node) => holds(node).catch(() => false)));
      if (answers.every(Boolean)) return;
      if (Date.now() > end) {
        const told = String(await this.#running().command('CLUSTER', 'NODES').catch(String));
        throw new Error(`Not within ${PATIENCE_MS} ms: ${what}.\n${told}`);
      }
      await sleep(50);
    }
  }

  #running() {
    const node = this.nodes.find(({ pid }) => pid !== undefined);
    if (node === undefined) throw new Error('No node of the cluster runs.');
    return node;
  }

  /** @param {RedisServer} node */
  async #known(node) {
    const text = String(await node.command('CLUSTER', 'NODES'));
    return text
      .trim()
      .split('\n')
      .map((line) => {
        const [id, address, flags, , , , , , ...slots] = line.split(' ');
        const ranges = slots.filter((range) => !range.startsWith('[')).map((range) => range.split('-').map(Number));
        return { id, address, flags: flags.split(','), slots: ranges.map(([from, to = from]) => [from, to]) };
      });
  }
}
