import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mysqlDialect } from '../../lib/backends/database/mysql/mysql-dialect.js';
import type { OwnLink } from '../../lib/backends/database/server/link.js';
import type { PushEntry, Settlement } from '../../lib/contracts/queue-driver.js';
import { describeServer, START_LIMIT_MS, useDatabase } from '../support/shared-servers.js';
import { claimOf, entry, MysqlTables, rowsOf } from './mysql-links.js';

const LINKS = 8;
const JOBS = 2_000;

interface Outcome {
  readonly ms: number;
  readonly conflicts: readonly unknown[];
  readonly done: ReadonlyMap<string, number>;
  readonly entries: readonly PushEntry[];
}

/** Tries again after a conflict, as the layer above does it. */
function againAfter(met: (error: unknown) => void) {
  return async <T>(work: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (mysqlDialect.faults.of(error) !== 'conflict') throw error;
        met(error);
      }
    }
  };
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((all, one) => all + one, 0);
}

describeServer('mysql', 'contention on mysql', () => {
  const database = useDatabase('mysql');
  const mysql = new MysqlTables(() => database.url);
  const { statements } = mysql;
  let links: OwnLink[];

  beforeAll(async () => {
    links = await Promise.all(Array.from({ length: LINKS }, () => mysql.link()));
    await mysql.make(links[0]!);
  }, START_LIMIT_MS);
  afterAll(() => mysql.close());

  /** Every link stores its share, and then claims, renews, releases and hands in until all is done. */
  async function workAll(meanwhile: (link: OwnLink, own: readonly PushEntry[]) => Promise<void>): Promise<Outcome> {
    const conflicts: unknown[] = [];
    const again = againAfter((error) => conflicts.push(error));
    const done = new Map<string, number>();
    const released = new Set<string>();
    const entries = Array.from({ length: JOBS }, (_, at) => entry({ priority: at % 3, body: String(at) }));
    const share = JOBS / LINKS;
    const start = performance.now();
    const work = async (link: OwnLink, at: number): Promise<void> => {
      const own = entries.slice(at * share, (at + 1) * share);
      const halves = [own.slice(0, share / 2), own.slice(share / 2)];
      await again(() => statements.insert(link, halves[0]!));
      let settlements: readonly Settlement[] = [];
      for (let round = 0; ; round += 1) {
        const request = claimOf({ limit: 10 });
        const { settled, claimed } = await again(() => statements.exchange(link, settlements, request));
        expect(settled).toEqual(settlements.map(() => ({ ok: true })));
        for (const { kind, job } of settlements) if (kind === 'ack') done.set(job.id, (done.get(job.id) ?? 0) + 1);
        settlements = claimed.jobs.map((job, index) => {
          if (index % 7 !== 0 || released.has(job.id)) return { kind: 'ack', job };
          released.add(job.id);
          return { kind: 'release', job, delayMs: 0 };
        });
        await again(() => statements.renew(link, claimed.jobs, 30_000));
        if (round === 1) await again(() => statements.insert(link, halves[1]!));
        if (round % 5 === 2) await meanwhile(link, own);
        if (claimed.jobs.length > 0) continue;
        if (round > 1 && sum(done) >= JOBS) return;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await Promise.all(links.map(work));
    return { ms: performance.now() - start, conflicts, done, entries };
  }

  it(
    'eight connections push, claim, renew, release and settle at once: each job once, and no deadlock',
    async () => {
      const { ms, conflicts, done, entries } = await workAll(() => Promise.resolve());
      console.info(
        `${sum(done)} jobs in ${Math.round(ms)} ms over ${LINKS} connections; ${conflicts.length} conflicts.`,
      );
      expect(Object.fromEntries(done)).toEqual(Object.fromEntries(entries.map(({ id }) => [id, 1])));
      expect(conflicts.map(String)).toEqual([]);
    },
    START_LIMIT_MS,
  );

  it(
    'pushes of ids that live change nothing, and what they collide with is done all the same',
    async () => {
      let collisions = 0;
      const again = againAfter(() => (collisions += 1));
      // They live as long as this does: nobody serves their queue.
      const lasting = Array.from({ length: 20 }, () => entry({ queue: 'unserved' }));
      await statements.insert(links[0]!, lasting);
      const { conflicts, done, entries } = await workAll(async (link) => {
        const fresh = entry({ queue: 'unserved' });
        const order = Math.random() < 0.5 ? lasting : lasting.toReversed();
        const stored = await again(() => statements.insert(link, [fresh, ...order]));
        expect(stored).toEqual([true, ...lasting.map(() => false)]);
      });
      console.info(`${collisions + conflicts.length} conflicts were tried again.`);
      expect(Object.fromEntries(done)).toEqual(Object.fromEntries(entries.map(({ id }) => [id, 1])));
    },
    START_LIMIT_MS,
  );

  it(
    'of many who push one id at once exactly one stores it',
    async () => {
      let conflicts = 0;
      const again = againAfter(() => (conflicts += 1));
      for (let round = 0; round < 40; round += 1) {
        const shared = Array.from({ length: 5 }, () => entry());
        const answers = await Promise.all(
          links.map(async (link, at) => {
            // In both orders, so that they meet crosswise.
            const order = at % 2 ? shared : shared.toReversed();
            const stored = await again(() => statements.insert(link, order));
            return shared.map((one) => stored[order.indexOf(one)]);
          }),
        );
        for (const at of shared.keys()) expect(answers.filter((stored) => stored[at])).toHaveLength(1);
        const ids = shared.map(({ id }) => id);
        const rows = await rowsOf(links[0]!, 'SELECT id FROM jobs WHERE id IN (?, ?, ?, ?, ?)', ids);
        expect(rows).toHaveLength(5);
      }
      console.info(`40 times eight pushes of the same five ids: ${conflicts} conflicts were tried again.`);
    },
    START_LIMIT_MS,
  );
});
