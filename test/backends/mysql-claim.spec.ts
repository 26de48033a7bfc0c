import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { OwnLink } from '../../lib/backends/database/server/link.js';
import { describeServer, START_LIMIT_MS, useDatabase } from '../support/shared-servers.js';
import { claimOf, entry, MysqlTables, RecordingLink, rowsOf } from './mysql-links.js';

const ROWS = 50_000;

describeServer('mysql', 'claims of mysql', () => {
  const database = useDatabase('mysql');
  const mysql = new MysqlTables(() => database.url);
  const { statements } = mysql;
  let link: OwnLink;
  let recording: RecordingLink;

  beforeAll(async () => {
    link = await mysql.link();
    await mysql.make(link);
    recording = new RecordingLink(link);
  }, START_LIMIT_MS);
  beforeEach(async () => {
    await mysql.empty(link);
    recording.take();
  });
  afterAll(() => mysql.close());

  /** Rows of the jobs table that the server touched while `work` ran. */
  async function readsOf(work: () => Promise<unknown>): Promise<number> {
    const total = async (): Promise<number> =>
      (await rowsOf<[string, string]>(link, `SHOW SESSION STATUS LIKE 'Handler_read%'`)).reduce(
        (sum, [, count]) => sum + Number(count),
        0,
      );
    const before = await total();
    const own = (await total()) - before;
    await work();
    return (await total()) - before - 2 * own;
  }

  it('asks once for any number of queues, and writes nothing, where nothing is due', async () => {
    await statements.insert(link, [entry({ queue: 'a', delayMs: 60_000 }), entry({ queue: 'b', delayMs: 30_000 })]);
    const queues = ['a', 'b', 'c', 'd', 'e'];
    await statements.claim(link, claimOf({ queues }));
    const { jobs, nextInMs } = await statements.claim(recording, claimOf({ queues }));
    expect(jobs).toEqual([]);
    expect(nextInMs).toBeGreaterThan(25_000);
    expect(nextInMs).toBeLessThanOrEqual(30_000);
    const sent = recording.take();
    expect(sent).toHaveLength(1);
    expect(sent[0]!.text).toMatch(/^\(SELECT/);
    expect(sent[0]!.text).not.toMatch(/FOR UPDATE/);
  });

  it('tells when a lease ends', async () => {
    await statements.insert(link, [entry()]);
    await statements.claim(link, claimOf({ leaseMs: 20_000 }));
    const { nextInMs } = await statements.claim(link, claimOf());
    expect(nextInMs).toBeGreaterThan(15_000);
    expect(nextInMs).toBeLessThanOrEqual(20_000);
  });

  it('finds priorities it has not seen before, and keeps to their order', async () => {
    const priorities = [3, -2, 0, 40, 7, 7, -2, 100];
    for (const priority of priorities) await statements.insert(link, [entry({ priority })]);
    const taken: number[] = [];
    for (const limit of [1, 2, 10]) {
      const { jobs } = await statements.claim(link, claimOf({ limit }));
      taken.push(...jobs.map((job) => job.priority));
    }
    expect(taken).toEqual(priorities.toSorted((a, b) => b - a));
    // Known by now: a new one between them and one above them.
    for (const priority of [5, 200]) await statements.insert(link, [entry({ priority })]);
    for (const priority of [3, 40]) await statements.insert(link, [entry({ priority, delayMs: 60_000 })]);
    const { jobs } = await statements.claim(link, claimOf());
    expect(jobs.map((job) => job.priority)).toEqual([200, 5]);
  });

  it('takes what is due behind delayed jobs of every higher priority', async () => {
    for (let priority = 0; priority < 80; priority += 1) {
      await statements.insert(link, [entry({ priority, delayMs: 60_000 })]);
    }
    await statements.insert(link, [entry({ priority: -1 })]);
    const { jobs } = await statements.claim(link, claimOf());
    expect(jobs.map((job) => job.priority)).toEqual([-1]);
    expect((await statements.claim(link, claimOf())).nextInMs).toBeGreaterThan(50_000);
  });

  it('puts a lost job back in its old place before it takes', async () => {
    const [old, urgent, fresh] = [entry(), entry({ priority: 5 }), entry()];
    await statements.insert(link, [old]);
    await statements.claim(link, claimOf({ leaseMs: 1 }));
    await statements.insert(link, [fresh, urgent]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { jobs } = await statements.claim(link, claimOf());
    expect(jobs.map(({ id, stalls, attempts }) => [id, stalls, attempts])).toEqual([
      [urgent.id, 0, 1],
      [old.id, 1, 2],
      [fresh.id, 0, 1],
    ]);
  });

  it('passes over rows that somebody else has locked', async () => {
    const entries = [entry(), entry(), entry()];
    await statements.insert(link, entries);
    const other = await mysql.link();
    await other.run('START TRANSACTION');
    await rowsOf(other, `SELECT seq FROM jobs WHERE id = ? FOR UPDATE`, [entries[1]!.id]);
    const { jobs } = await statements.claim(link, claimOf());
    expect(jobs.map(({ id }) => id)).toEqual([entries[0]!.id, entries[2]!.id]);
    await other.run('ROLLBACK');
    expect((await statements.claim(link, claimOf())).jobs.map(({ id }) => id)).toEqual([entries[1]!.id]);
  });

  it('finds what a claim took whose answer was lost', async () => {
    await statements.insert(link, [entry({ priority: 1 }), entry({ priority: 2 })]);
    const lost = claimOf({ leaseMs: 5_000 });
    const { jobs } = await statements.claim(link, lost);
    await statements.insert(link, [entry()]);
    await statements.claim(link, claimOf());
    const found = await statements.recover(link, lost);
    expect(found).toEqual(jobs.map((job) => ({ ...job, leasedUntil: found[0]!.leasedUntil })));
    expect(found[0]!.leasedUntil).toBeGreaterThanOrEqual(jobs[0]!.leasedUntil);
    expect(await statements.recover(link, claimOf())).toEqual([]);
  });

  it(
    'reads a few rows, in the order of the index, however many are delayed or of other priorities',
    async () => {
      const { jobs: table } = mysql.tables.quoted;
      const digits =
        '(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)';
      const fill = (count: number, place: string, availableAt: string): Promise<void> =>
        link.run(`INSERT INTO ${table} (id, queue, place, available_at, body) SELECT UUID(), 'default', ${place}, ${availableAt}, '{}'
          FROM ${digits} a, ${digits} b, ${digits} c, ${digits} d, ${digits} e LIMIT ${count}`);
      // Delayed ones in front, in three priorities; waiting ones in four lower ones.
      await fill(ROWS, '-MOD(a.d, 3) - 1', '4000000000000 + a.d');
      await fill(ROWS, 'MOD(a.d, 4)', '1000 + a.d * 7 + b.d');
      await statements.claim(link, claimOf({ limit: 1 }));
      let taken = 0;
      const look = await readsOf(() => statements.claim(link, claimOf({ queues: ['nothing'] })));
      const claim = await readsOf(
        async () => (taken = (await statements.claim(link, claimOf({ limit: 20 }))).jobs.length),
      );
      expect(taken).toBe(20);
      recording.take();
      await statements.claim(recording, claimOf({ limit: 20 }));
      const plans: string[] = [];
      for (const { text, params } of recording.take()) {
        if (!/^\(?SELECT/.test(text)) continue;
        for (const row of await rowsOf(link, `EXPLAIN ${text}`, params)) {
          const [, , , , , key, , , , extra] = row.length === 10 ? row : row.toSpliced(3, 1).toSpliced(9, 1);
          plans.push(`${String(key)}: ${String(extra)}`);
        }
      }
      console.info(`A look at an empty queue read ${look} rows, a claim of 20 of ${2 * ROWS} read ${claim}.`);
      expect(plans.join('\n')).not.toMatch(/filesort|temporary/);
      expect(plans.filter((plan) => plan.startsWith('claim:')).length).toBeGreaterThan(5);
      expect(look).toBeLessThan(10);
      // Three times 20 for the locked rows, their updates and a little around them, never the thousands in front.
      expect(claim).toBeLessThan(150);
    },
    START_LIMIT_MS,
  );
});
