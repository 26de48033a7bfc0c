import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreWatch, WatchedJob } from '../../../contracts/backend.js';
import type { Settlement, SettleResult } from '../../../contracts/queue-driver.js';
import { loadPeer } from '../../../support/load-peer.js';
import { LostLinkError, type Link, type OwnLink } from '../server/link.js';
import type { Tables } from '../table-names.js';
import { mysqlFaults } from './mysql-faults.js';
import { mysqlLink, type MysqlConnection } from './mysql-link.js';
import { SettleRows } from './settle.js';

/** What a watchdog's thread needs to reach the tables for itself. */
export interface WatchData {
  readonly connection: Readonly<Record<string, unknown>>;
  readonly tables: Tables;
}

/** A release may take so long: behind it a process is to end. */
const RELEASE_MS = 1_500;
/** A renewal may take so long, or a sixth of the lease. */
const RENEW_MS = 5_000;
const AGAIN_AFTER_MS = 50;

interface Library {
  createConnection(options: object): MysqlConnection;
}

/** A connection of its own, opened with the first verb and anew after it was lost. */
export async function openWatch(data: unknown): Promise<StoreWatch> {
  const { connection: options, tables } = data as WatchData;
  // Loaded now: with the loop blocked there may be better things to do.
  const peer = { name: 'mysql2', purpose: 'The watchdog of a queue on MySQL', install: 'npm i mysql2' };
  const loaded = await loadPeer(peer, () => import('mysql2'));
  const library = ((loaded as { default?: unknown }).default ?? loaded) as Library;
  const rows = new SettleRows(tables);
  const line = new Line(() => {
    const connection = library.createConnection(options);
    return mysqlLink(connection, () => connection.destroy());
  });
  return {
    renew: (jobs, leaseMs) =>
      line.use(jobs, (link) => rows.renew(link, jobs, leaseMs), Math.min(RENEW_MS, leaseMs / 6)),
    release: (jobs) =>
      line.use(
        jobs,
        (link) =>
          rows.settle(
            link,
            jobs.map((job) => releaseOf(job)),
          ),
        RELEASE_MS,
      ),
    close: () => line.close(),
  };
}

/** One connection, used by one verb after the other. */
class Line {
  #link: OwnLink | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(private readonly open: () => Promise<OwnLink>) {}

  /** Tries until it is done or the time is over; then each job is answered with what was in the way. */
  async use<T>(
    jobs: readonly T[],
    work: (link: Link) => Promise<readonly SettleResult[]>,
    ms: number,
  ): Promise<readonly SettleResult[]> {
    if (jobs.length === 0) return [];
    const giveUpAt = performance.now() + ms;
    const turn = this.#last.then(() => this.#try(work, giveUpAt));
    this.#last = turn.catch(() => {});
    try {
      return await turn;
    } catch (error) {
      return jobs.map(() => ({ ok: false, reason: 'error', error }));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#link?.destroy(new Error('the watch was closed'));
    this.#link = undefined;
    await this.#last;
  }

  async #try<T>(work: (link: Link) => Promise<T>, giveUpAt: number): Promise<T> {
    for (;;) {
      let late: NodeJS.Timeout | undefined;
      try {
        if (this.#closed) throw new LostLinkError(new Error('the watch was closed'));
        if (this.#link?.alive !== true) this.#link = await this.open();
        const link = this.#link;
        late = setTimeout(
          () => link.destroy(new Error('no answer in time')),
          Math.max(1, giveUpAt - performance.now()),
        );
        return await work(link);
      } catch (error) {
        const fault = mysqlFaults.of(error);
        const again = fault === 'unavailable' || fault === 'conflict';
        if (!again || this.#closed || performance.now() + AGAIN_AFTER_MS >= giveUpAt) throw error;
        await sleep(AGAIN_AFTER_MS);
      } finally {
        clearTimeout(late);
      }
    }
  }
}

function releaseOf({
  id,
  token,
  delayMs,
  countAttempt,
  memo,
}: WatchedJob & {
  readonly delayMs: number;
  readonly countAttempt: boolean;
  readonly memo?: string;
}): Settlement {
  // Only what the fence looks at.
  const job = { id, token, queue: '', body: '', priority: 0, attempts: 0, stalls: 0, leasedUntil: 0 };
  return { kind: 'release', job, delayMs, countAttempt, ...(memo === undefined ? {} : { memo }) };
}
