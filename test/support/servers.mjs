import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findServer } from './server-binaries.mjs';
import { mariadb, mysql, postgres, runAs, SERVER_ENV } from './server-engines.mjs';
import { ServerFolder } from './server-folder.mjs';

export { findServer };

/** @typedef {import('./servers.mjs').ServerOptions} ServerOptions */
/** @typedef {import('./servers.mjs').SqlServerKind} SqlServerKind */

const ENGINES = { postgres, mariadb, mysql };
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 15_000;
/** A killed PostgreSQL's children hold its shared memory until they notice. */
const NOT_YET = /shared memory block is still in use|lock file .* already exists|Unable to lock|Can't lock/i;
const PORT_TAKEN = /address already in use|could not bind|Can't start server: Bind on/i;

/**
 * @param {SqlServerKind} kind
 * @returns {SqlServerKind}
 */
export function standIn(kind) {
  return kind === 'mysql' && findServer('mysql') === undefined ? 'mariadb' : kind;
}

/** @param {ServerOptions} [options] */
export const startPostgres = (options) => startServer('postgres', options);
/** @param {ServerOptions} [options] */
export const startMariadb = (options) => startServer('mariadb', options);
/** @param {ServerOptions} [options] */
export const startMysql = (options) => startServer('mysql', options);

/**
 * @param {SqlServerKind} kind
 * @param {ServerOptions} [options]
 */
export async function startServer(kind, options = {}) {
  const found = findServer(kind);
  if (found === undefined) throw new Error(`No ${kind} server is installed here: npm run verify tells how to get it.`);
  const server = new SqlServer(kind, found, options);
  try {
    await server.begin();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

class SqlServer {
  /**
   * @param {SqlServerKind} kind
   * @param {import('./servers.mjs').FoundServer} found
   * @param {ServerOptions} options
   */
  constructor(kind, found, options) {
    this.kind = kind;
    this.version = found.version;
    this.port = 0;
    this.options = options;
    this.found = found;
    this.engine = ENGINES[kind];
    this.home = new ServerFolder(kind);
    this.dataDir = join(this.home.path, 'data');
    this.logFile = join(this.home.path, 'server.log');
    /** @type {import('node:child_process').ChildProcess | undefined} */
    this.child = undefined;
  }

  get pid() {
    return this.child?.pid;
  }

  get url() {
    return this.#url(this.engine.admin, this.engine.adminDatabase);
  }

  /** Sets the data folder up and starts on a port of its own. */
  async begin() {
    await this.engine.initialise(this.found, this.home.path, this.dataDir);
    for (let tries = 1; ; tries += 1) {
      this.port = await freePort();
      try {
        return await this.start();
      } catch (error) {
        if (tries === 5 || !PORT_TAKEN.test(String(error))) throw error;
      }
    }
  }

  async start() {
    if (this.child !== undefined) return;
    const until = Date.now() + START_LIMIT_MS;
    for (;;) {
      const failure = await this.#attempt(until);
      if (failure === undefined) return;
      // On the same port again, somebody may still sit there; at the first start another port is taken.
      const again = NOT_YET.test(failure.message);
      if (!again || Date.now() > until) throw failure;
      await sleep(100);
    }
  }

  /** @param {NodeJS.Signals} [signal] */
  async stop(signal = this.engine.stopSignal) {
    const { child } = this;
    if (child === undefined) return;
    const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    child.kill(signal);
    // A suspended process takes no signal but this one.
    if (signal === 'SIGKILL') child.kill('SIGCONT');
    await ended(child);
    clearTimeout(limit);
    this.#gone();
  }

  /** @param {{ signal?: NodeJS.Signals; downMs?: number }} [how] */
  async restart({ signal, downMs = 0 } = {}) {
    await this.stop(signal);
    if (downMs > 0) await sleep(downMs);
    await this.start();
  }

  /**
   * @param {string} text
   * @param {readonly unknown[]} [values]
   */
  sql = (text, values = []) => this.engine.query(this.url, text, values);

  /** @param {string} name */
  async createDatabase(name) {
    await this.engine.createDatabase(name, this.sql);
    return { url: this.#url('app', name), adminUrl: this.#url(this.engine.admin, name) };
  }

  /** @param {string} name */
  dropDatabase(name) {
    return this.engine.dropDatabase(name, this.sql);
  }

  log() {
    try {
      return readFileSync(this.logFile, 'utf8');
    } catch {
      return '';
    }
  }

  /** Nothing is left of it, its data least of all: there is no reason to wait for a tidy stop. */
  async close() {
    // PostgreSQL takes SIGQUIT as "at once", and gives back its shared memory; others would still tidy up.
    await this.stop(this.kind === 'postgres' ? 'SIGQUIT' : 'SIGKILL');
    await this.home.remove();
  }

  /**
   * @param {string} user
   * @param {string} database
   */
  #url(user, database) {
    return `${this.engine.scheme}://${user}@127.0.0.1:${this.port}/${database}`;
  }

  /**
   * Starts the program once and waits until it answers: the error that stopped it, or undefined.
   *
   * @param {number} until
   */
  async #attempt(until) {
    const { dataDir, port, options } = this;
    const before = this.log().length;
    const out = openSync(this.logFile, 'a');
    const args = this.engine.args({ folder: this.home.path, dataDir, port, options });
    const user = this.kind === 'postgres' ? runAs() : {};
    // In a group of its own, so that Ctrl-C ends the tests first and the server by its guard.
    const child = spawn(this.found.program, args, {
      cwd: '/',
      env: SERVER_ENV,
      detached: true,
      stdio: ['ignore', out, out],
      ...user,
    });
    closeSync(out);
    /** @type {Error | undefined} */
    let unable;
    child.once('error', (error) => (unable = error));
    child.unref();
    this.child = child;
    this.home.note(child.pid);
    child.once('exit', () => this.child === child && this.#gone());
    for (;;) {
      const running = unable === undefined && child.exitCode === null && child.signalCode === null;
      if (running && (await this.#answers())) return undefined;
      if (running && Date.now() < until) {
        await sleep(20);
        continue;
      }
      if (running) await this.stop('SIGKILL');
      const why = running ? 'did not answer in time' : (unable?.message ?? 'ended at its start');
      const said = this.log().slice(before).trim().split('\n').slice(-12).join('\n');
      return new Error(`${this.kind} ${this.version} on port ${port} ${why}${said && `:\n${said}`}`);
    }
  }

  /** Another server may have taken the port meanwhile: only the one that keeps its data here counts. */
  async #answers() {
    try {
      const [row] = await this.engine.query(this.url, this.engine.dataDirSql, []);
      return String(row?.place).replace(/\/$/, '') === this.dataDir;
    } catch {
      return false;
    }
  }

  #gone() {
    this.child = undefined;
    this.home.note(undefined);
  }
}

/** @param {import('node:child_process').ChildProcess} child */
async function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.ref();
  await once(child, 'exit');
}

/**
 * Below the ports that systems give to outgoing connections: a client that dials a server that is down could otherwise be given that very
 * port, be connected to itself, and keep the server from coming back.
 */
async function freePort() {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    const probe = createServer();
    const free = await new Promise((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen({ port, host: '127.0.0.1' }, () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}
