import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SERVER_ENV } from './server-engines.mjs';
import { ServerFolder } from './server-folder.mjs';

/** @typedef {import('./servers.mjs').FoundServer} FoundServer */

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 15_000;
/** A killed PostgreSQL's children hold its shared memory until they notice. */
const NOT_YET = /shared memory block is still in use|lock file .* already exists|Unable to lock|Can't lock/i;
const PORT_TAKEN =
  /address already in use|could not bind|Can't start server: Bind on|Could not create server TCP|Failed listening on port/i;

/**
 * What differs between the programs.
 *
 * @typedef {object} Program
 * @property {NodeJS.Signals} stopSignal what a service manager sends to stop it
 * @property {NodeJS.Signals} closeSignal ends it at once; its data are not wanted any more
 * @property {(place: { folder: string; dataDir: string; port: number }) => string[]} args
 * @property {(place: { dataDir: string; port: number; pid: number | undefined }) => Promise<boolean>} answers whether this very process does
 * @property {{ uid?: number; gid?: number }} [user]
 * @property {Record<string, string>} [env]
 * @property {readonly number[]} [alsoFree] what else must be free beside the port, as distances from it
 */

/** A server of our own on a port of 127.0.0.1, which ends with this process. */
export class ServerProcess {
  /**
   * @param {string} kind
   * @param {FoundServer} found
   * @param {Program} program
   */
  constructor(kind, found, program) {
    this.kind = kind;
    this.version = found.version;
    this.port = 0;
    this.found = found;
    this.program = program;
    this.home = new ServerFolder(kind);
    this.dataDir = join(this.home.path, 'data');
    this.logFile = join(this.home.path, 'server.log');
    /** @type {import('node:child_process').ChildProcess | undefined} */
    this.child = undefined;
  }

  get pid() {
    return this.child?.pid;
  }

  /** Starts on a port of its own. */
  async begin() {
    for (let tries = 1; ; tries += 1) {
      this.port = await freePort(this.program.alsoFree);
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
  async stop(signal = this.program.stopSignal) {
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

  log() {
    try {
      return readFileSync(this.logFile, 'utf8');
    } catch {
      return '';
    }
  }

  /** Nothing is left of it, its data least of all: there is no reason to wait for a tidy stop. */
  async close() {
    await this.stop(this.program.closeSignal);
    await this.home.remove();
  }

  /**
   * Starts the program once and waits until it answers: the error that stopped it, or undefined.
   *
   * @param {number} until
   */
  async #attempt(until) {
    const { dataDir, port, program } = this;
    const before = this.log().length;
    const out = openSync(this.logFile, 'a');
    // In a group of its own, so that Ctrl-C ends the tests first and the server by its guard.
    const child = spawn(this.found.program, program.args({ folder: this.home.path, dataDir, port }), {
      cwd: '/',
      env: { ...SERVER_ENV, ...program.env },
      detached: true,
      stdio: ['ignore', out, out],
      ...program.user,
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
      if (running && (await program.answers({ dataDir, port, pid: child.pid }))) return undefined;
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
 *
 * @param {readonly number[]} [also] distances of other ports that must be free too
 */
async function freePort(also = []) {
  const span = 17_000 - Math.max(0, ...also);
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * span);
    const free = await Promise.all([0, ...also].map((distance) => isFree(port + distance)));
    if (free.every(Boolean)) return port;
  }
}

/** @param {number} port */
async function isFree(port) {
  const probe = createServer();
  const free = await new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1' }, () => resolve(true));
  });
  if (free) await new Promise((resolve) => probe.close(resolve));
  return free;
}
