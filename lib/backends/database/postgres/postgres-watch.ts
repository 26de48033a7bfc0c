import type { OpenWatch, StoreWatch, WatchedJob } from '../../../contracts/backend.js';
import type { SettleResult } from '../../../contracts/queue-driver.js';
import { loadPeer } from '../../../support/load-peer.js';
import { LostLinkError, type OwnLink } from '../server/link.js';
import type { Tables } from '../table-names.js';
import { postgresLink, type PgClient } from './postgres-link.js';
import { SettleStatements } from './settle.js';

/** What crosses into the thread. */
export interface PostgresWatchData {
  /** Of a `Client` of the package `pg`. */
  readonly client: Readonly<Record<string, unknown>>;
  readonly tables: Tables;
}

/** A verb that has no answer by then gets none. */
const ANSWER_MS = 5_000;

interface ConnectingClient extends PgClient {
  connect(): Promise<unknown>;
  end(): Promise<void>;
}

/** The store as a watchdog thread reaches it: one connection, opened at the first verb, and anew after a loss. */
export const openWatch: OpenWatch = (data) => new PostgresWatch(data as PostgresWatchData);

class PostgresWatch implements StoreWatch {
  readonly #settles: SettleStatements;
  #link: OwnLink | undefined;
  /** A connection has one user at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(private readonly data: PostgresWatchData) {
    this.#settles = new SettleStatements(data.tables);
  }

  renew(jobs: readonly WatchedJob[], leaseMs: number): Promise<readonly SettleResult[]> {
    return this.#inTurn(jobs.length, (link) => this.#settles.renew(link, jobs, leaseMs));
  }

  release(jobs: Parameters<StoreWatch['release']>[0]): Promise<readonly SettleResult[]> {
    const settlements = jobs.map(({ id, queue, token, delayMs, countAttempt, memo }) => ({
      kind: 'release' as const,
      job: { id, queue, token },
      delayMs,
      countAttempt,
      ...(memo === undefined ? {} : { memo }),
    }));
    return this.#inTurn(jobs.length, (link) => this.#settles.settle(link, settlements));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
    this.#link?.release();
    this.#link = undefined;
  }

  #inTurn(count: number, work: (link: OwnLink) => Promise<readonly SettleResult[]>): Promise<readonly SettleResult[]> {
    const done = this.#turn.then(() => this.#answered(count, work));
    this.#turn = done;
    return done;
  }

  /** Never rejects. A connection that was lost while nobody used it shows now: the same again is fenced, and harmless. */
  async #answered(
    count: number,
    work: (link: OwnLink) => Promise<readonly SettleResult[]>,
  ): Promise<readonly SettleResult[]> {
    for (let tries = 1; ; tries++) {
      try {
        const link = await this.#open();
        return await withinTime(link, work(link));
      } catch (error) {
        const again = error instanceof LostLinkError && tries === 1 && !this.#closed;
        if (!again) return Array.from({ length: count }, () => ({ ok: false, reason: 'error', error }));
      }
    }
  }

  async #open(): Promise<OwnLink> {
    if (this.#closed) throw new Error('The watch was closed.');
    if (this.#link?.alive) return this.#link;
    this.#link?.release();
    this.#link = undefined;
    const peer = { name: 'pg', purpose: 'A database connection of type postgres', install: 'npm i typeorm pg' };
    const { default: pg } = (await loadPeer(peer, () => import('pg' as string))) as {
      default: { Client: new (options: unknown) => ConnectingClient };
    };
    const client = new pg.Client(this.data.client);
    // Until the link listens itself, and after it no longer does.
    client.on('error', () => {});
    await client.connect();
    this.#link = await postgresLink(client, () => void client.end().catch(() => {}));
    return this.#link;
  }
}

async function withinTime<T>(link: OwnLink, work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => link.destroy(new Error(`no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}
