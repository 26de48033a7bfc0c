import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findServer } from './server-binaries.mjs';
import { ServerProcess } from './server-process.mjs';

/** @typedef {import('./redis-servers.mjs').RedisOptions} RedisOptions */

/** A node of a cluster talks to the others on a port this far from its own. */
export const BUS_DISTANCE = 10_000;
const PATIENCE_MS = 5_000;

/** @param {RedisOptions} [options] */
export async function startRedis(options) {
  return started(new RedisServer(options));
}

/**
 * @template {RedisServer} T
 * @param {T} server
 */
export async function started(server) {
  try {
    await server.begin();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

export class RedisServer extends ServerProcess {
  #configuredFor = 0;
  /** @type {Redis | undefined} */
  #client;
  /** @type {import('ioredis').RedisOptions} */
  #login;

  /** @param {RedisOptions & { sentinel?: boolean; config?: () => string }} [options] */
  constructor({ durable = false, settings = {}, env = {}, sentinel = false, config = () => '' } = {}) {
    const found = findServer('redis');
    if (found === undefined) throw new Error('No redis server is installed here: npm run verify tells how to get it.');
    const cluster = settings['cluster-enabled'] === 'yes';
    super('redis', found, {
      stopSignal: 'SIGTERM',
      closeSignal: 'SIGKILL',
      env,
      alsoFree: cluster ? [BUS_DISTANCE] : [],
      args: ({ folder, dataDir, port }) => {
        const file = join(folder, 'redis.conf');
        mkdirSync(dataDir, { recursive: true });
        const all = {
          port,
          bind: '127.0.0.1',
          dir: dataDir,
          // The guard of its folder knows it by its command line.
          'set-proc-title': 'no',
          ...(sentinel ? {} : { save: '""', appendonly: 'yes', appendfsync: durable ? 'always' : 'no' }),
          // A rewrite would fork in the middle of a test.
          ...(sentinel ? {} : { 'auto-aof-rewrite-percentage': 0, 'repl-diskless-sync-delay': 0 }),
          ...settings,
        };
        const lines = Object.entries(all).map(([name, value]) => `${name} ${value}`);
        // Once: a sentinel keeps what it learns in its file, and rewrites that of a server it has given another part.
        if (this.#configuredFor !== port) writeFileSync(file, `${lines.join('\n')}\n${config()}`);
        this.#configuredFor = port;
        return [file, ...(sentinel ? ['--sentinel'] : [])];
      },
      answers: ({ pid }) => this.#answers(pid),
    });
    const password = settings.requirepass;
    this.#login = password === undefined ? {} : { password: String(password) };
  }

  get url() {
    const { password } = this.#login;
    return `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${this.port}/0`;
  }

  /**
   * @param {string} name
   * @param {...(string | number)} args
   */
  async command(name, ...args) {
    let client = this.#client;
    // Nothing is held back for a server that is down: the caller hears of it.
    if (client === undefined || client.status !== 'ready') {
      client?.disconnect();
      client = new Redis({
        ...this.#login,
        host: '127.0.0.1',
        port: this.port,
        lazyConnect: true,
        retryStrategy: null,
        enableReadyCheck: false,
        connectTimeout: PATIENCE_MS,
        disconnectTimeout: 50,
        commandTimeout: PATIENCE_MS,
        connectionName: 'tests',
      });
      client.on('error', () => undefined);
      this.#client = client;
      await client.connect();
    }
    return client.call(name, ...args.map(String));
  }

  /** @param {string} [section] */
  async info(section) {
    const text = String(await this.command('INFO', ...(section === undefined ? [] : [section])));
    const lines = text.split('\r\n').filter((line) => line.includes(':'));
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
    );
  }

  /** @param {NodeJS.Signals} [signal] */
  async stop(signal) {
    this.#client?.disconnect();
    this.#client = undefined;
    await super.stop(signal);
  }

  /**
   * Another server may have taken the port meanwhile.
   *
   * @param {number | undefined} pid
   */
  async #answers(pid) {
    try {
      const { process_id: answering, loading } = await this.info();
      return Number(answering) === pid && loading !== '1';
    } catch {
      return false;
    }
  }
}
