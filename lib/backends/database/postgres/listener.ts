import { setTimeout as sleep } from 'node:timers/promises';
import { deferred } from '../../../support/deferred.js';
import type { BellServices } from '../server/dialect.js';
import { statementOf } from '../server/flavour.js';
import type { OwnLink } from '../server/link.js';
import { readable } from '../../stored-text.js';
import { PostgresLink } from './postgres-link.js';

/** A worker that has work comes back to its wait soon: the connection is kept so long without anybody waiting. */
const LINGER_MS = 5_000;
/** A connection whose other end is gone without a word looks sound: it is asked so often, and has so long to answer. */
const PROBE_EVERY_MS = 10_000;
const ANSWER_MS = 3_000;
/** Pauses between tries to connect again double from the first to the last of these. */
const AGAIN_MS = { first: 100, longest: 3_000 };

const PROBE = statementOf('SELECT 1 AS one');

/** One connection that LISTENs while anybody waits. Lost, it is replaced; `hearing` tells whether it is there. */
export class Listener {
  #waiting = 0;
  #running: Promise<void> | undefined;
  #link: PostgresLink | undefined;
  #linger: NodeJS.Timeout | undefined;
  #stop = new AbortController();
  #closed = false;

  constructor(private readonly services: Pick<BellServices, 'channel' | 'openLink' | 'rung'>) {}

  get hearing(): boolean {
    return this.#link !== undefined;
  }

  /** Somebody waits, until what is returned is called. */
  add(): () => void {
    if (this.#closed) return () => {};
    this.#waiting += 1;
    clearTimeout(this.#linger);
    this.#linger = undefined;
    this.#running ??= this.#run();
    let off = false;
    return () => {
      if (off) return;
      off = true;
      this.#waiting -= 1;
      if (this.#waiting > 0 || this.#closed) return;
      this.#linger = setTimeout(() => this.#stop.abort(), LINGER_MS);
      this.#linger.unref();
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#linger);
    this.#stop.abort();
    // One that is still connecting is given back when it comes: a server that does not answer must not hold up the end.
    if (this.#link) await this.#running;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let pause = AGAIN_MS.first;
    while (!signal.aborted) {
      try {
        await this.#hear(signal, () => (pause = AGAIN_MS.first));
      } catch {
        // Said by whoever does the work: they need the same server.
      }
      if (signal.aborted) break;
      await sleep(pause * (0.75 + Math.random() / 2), undefined, { ref: false, signal }).catch(() => {});
      pause = Math.min(AGAIN_MS.longest, pause * 2);
    }
    this.#running = undefined;
    this.#stop = new AbortController();
    // Somebody came while it was ending.
    if (this.#waiting > 0 && !this.#closed) this.#running = this.#run();
  }

  /** Until the connection is lost, which is thrown, or the signal comes. */
  async #hear(signal: AbortSignal, up: () => void): Promise<void> {
    const link = ownLink(await this.services.openLink());
    if (signal.aborted) return this.#giveBack(link);
    const ended = deferred();
    const end = (): void => ended.resolve();
    const deaf = link.listen(
      (payload) => this.services.rung(readable(payload)),
      (cause) => ended.reject(cause),
    );
    ended.promise.catch(() => {});
    signal.addEventListener('abort', end);
    let probing: NodeJS.Timeout | undefined;
    try {
      await within(link, link.run(`LISTEN "${this.services.channel}"`));
      this.#link = link;
      up();
      // Something may have been missed.
      this.services.rung(undefined);
      probing = setInterval(() => void within(link, link.query(PROBE, [])).catch(() => {}), PROBE_EVERY_MS);
      probing.unref();
      if (!signal.aborted) await ended.promise;
    } finally {
      this.#link = undefined;
      clearInterval(probing);
      signal.removeEventListener('abort', end);
      await this.#giveBack(link);
      deaf();
    }
  }

  /** Whole, or not at all: the next to use the connection must not be sent what is meant for us. */
  async #giveBack(link: PostgresLink): Promise<void> {
    try {
      if (this.#closed) link.destroy(new Error('the connection was closed'));
      else if (link.alive && link.busySince === undefined) await within(link, link.run('UNLISTEN *'));
      else link.destroy(new Error('it no longer listens'));
    } catch {
      link.destroy(new Error('it did not answer'));
    }
    link.release();
  }
}

function ownLink(link: OwnLink): PostgresLink {
  if (link instanceof PostgresLink) return link;
  throw new TypeError('Only a connection of the Postgres dialect can listen.');
}

/** What has no answer in time never gets one: the connection is given up. */
async function within<T>(link: OwnLink, work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => link.destroy(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
  timer.unref();
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}
