import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { mysqlDialect } from '../../lib/backends/database/mysql/mysql-dialect.js';
import type { OwnLink } from '../../lib/backends/database/server/link.js';
import type { ReservedJob } from '../../lib/contracts/queue-driver.js';
import { describeServer, START_LIMIT_MS, useDatabase } from '../support/shared-servers.js';
import { claimOf, entry, MysqlTables, RecordingLink, rowsOf } from './mysql-links.js';

/** What only one of the two servers has, or reads otherwise; and columns that are reserved words of MySQL 8. */
const FOREIGN =
  /\b(RETURNING|NOPAD|NEXTVAL|SEQUENCE|IGNORE|LATERAL|FOR SHARE|JSON_TABLE|UUID_TO_BIN|BIN_TO_UUID|INET6|MERGE|EXCEPT|INTERSECT|FETCH FIRST|AS new|rank|groups|system|window|lead|lag|row_number|recursive|manual|parallel|qualify|tablesample)\b|DESC\)/i;

describeServer('mysql', 'statements of mysql', () => {
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

  const taken = async (count: number): Promise<readonly ReservedJob[]> => {
    await statements.insert(
      link,
      Array.from({ length: count }, () => entry()),
    );
    return (await statements.claim(link, claimOf({ limit: count }))).jobs;
  };
  const trips = (): number => recording.take().length;

  it('uses nothing that only one of the servers has', async () => {
    const locked = entry({ id: 'not a uuid', lock: { key: 'k', owner: 'o', ttlMs: 1_000 } });
    await statements.insert(recording, [locked, entry(), entry({ priority: 2 }), entry({ delayMs: 60_000 })]);
    await statements.insert(recording, [locked, entry()]);
    await statements.isFirst(recording, locked.id);
    await statements.exists(recording, locked.id);
    await statements.remember(recording, locked.id, 1_000);
    const first = await statements.claim(recording, claimOf({ leaseMs: 1 }));
    await new Promise((resolve) => setTimeout(resolve, 10));
    const { jobs } = await statements.claim(recording, claimOf());
    expect(jobs).toHaveLength(first.jobs.length);
    await statements.recover(recording, claimOf());
    await statements.renew(recording, [...jobs, ...first.jobs], 1_000);
    const [a, b, c, d] = jobs;
    await statements.exchange(
      recording,
      [
        { kind: 'ack', job: a! },
        { kind: 'release', job: b!, delayMs: 0, memo: 'm' },
        { kind: 'release', job: c!, delayMs: 0 },
      ],
      claimOf(),
    );
    await statements.settle(recording, [
      { kind: 'ack', job: d! },
      ...first.jobs.map((job) => ({ kind: 'ack' as const, job })),
    ]);
    await statements.size(recording, ['default']);
    for (const state of ['pending', 'delayed', 'reserved'] as const)
      await statements.page(recording, 'default', state, { limit: 1 });
    await statements.find(recording, locked.id);
    await statements.queues(recording);
    await statements.remove(recording, locked.id);
    await statements.clear(recording, 'default', await statements.last(recording), 10);
    await statements.tidy(recording);
    const made = mysqlDialect.components(mysql.tables).flatMap(({ versions, drop }) => [...versions.flat(), ...drop]);
    const texts = [...new Set([...made, ...recording.take().map(({ text }) => text)])];
    expect(texts.length).toBeGreaterThan(50);
    for (const text of texts) expect(text.replaceAll(/'[^']*'/g, `''`)).not.toMatch(FOREIGN);
    for (const text of made.filter((one) => one.startsWith('CREATE'))) {
      expect(text).toMatch(/ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4/);
    }
  });

  it('stores any number of rows in one trip', async () => {
    for (const count of [1, 16, 17, 500]) {
      const entries = Array.from({ length: count }, () => entry());
      expect(await statements.insert(recording, entries)).toEqual(entries.map(() => true));
      expect(trips()).toBe(1);
    }
  });

  it('finds out which of them were there, in three trips', async () => {
    const [a, b, c] = [entry(), entry(), entry()];
    await statements.insert(link, [b]);
    expect(await statements.insert(recording, [a, b, c, a])).toEqual([true, false, true, false]);
    expect(trips()).toBe(3);
    expect(await statements.insert(recording, [a, b, c])).toEqual([false, false, false]);
    expect(trips()).toBe(2);
    const { jobs } = await statements.claim(link, claimOf());
    expect(jobs.map(({ id }) => id)).toEqual([b.id, a.id, c.id]);
  });

  it('stores nothing where one row cannot be stored', async () => {
    const good = entry();
    for (const bad of [entry({ queue: 'x'.repeat(1_001) }), entry({ priority: 1e300 })]) {
      const error: unknown = await statements.insert(link, [good, bad]).catch((one: unknown) => one);
      expect(error instanceof TypeError || mysqlDialect.faults.of(error) === 'row').toBe(true);
      expect(await rowsOf(link, 'SELECT COUNT(*) FROM jobs')).toEqual([[0]]);
    }
  });

  it('keeps the lock with the job, and gives it back with it', async () => {
    const lock = { key: 'k'.repeat(300), owner: 'o', ttlMs: 60_000 };
    const [one, other] = [entry({ lock }), entry({ lock: { ...lock, owner: 'somebody else' } })];
    await statements.insert(link, [one, other]);
    const [[lockKey]] = (await rowsOf(link, 'SELECT lock_key FROM jobs LIMIT 1')) as [[string]];
    await rowsOf(link, 'INSERT INTO jobs_locks (lock_key, owner, expires_at) VALUES (?, ?, NULL)', [lockKey, 'o']);
    expect(await statements.remove(link, other.id)).toBe(true);
    expect(await rowsOf(link, 'SELECT COUNT(*) FROM jobs_locks')).toEqual([[1]]);
    expect(await statements.clear(link, 'default', await statements.last(link), 10)).toBe(1);
    expect(await rowsOf(link, 'SELECT COUNT(*) FROM jobs_locks')).toEqual([[0]]);
  });

  it('hands in one job in one trip, several in one transaction, whatever they are', async () => {
    const jobs = await taken(30);
    expect(await statements.settle(recording, [{ kind: 'ack', job: jobs[0]! }])).toEqual([{ ok: true }]);
    expect(trips()).toBe(1);
    const acks = jobs.slice(1, 20).map((job) => ({ kind: 'ack' as const, job }));
    expect(await statements.settle(recording, acks)).toEqual(acks.map(() => ({ ok: true })));
    expect(trips()).toBe(3);
    const mixed = jobs
      .slice(20)
      .map((job, at) =>
        at % 2 ? ({ kind: 'ack', job } as const) : ({ kind: 'release', job, delayMs: 60_000, memo: 'm' } as const),
      );
    expect(await statements.settle(recording, mixed)).toEqual(mixed.map(() => ({ ok: true })));
    expect(trips()).toBe(4);
    expect(await statements.size(link, ['default'])).toEqual([{ pending: 0, delayed: 5, reserved: 0 }]);
  });

  it('answers each by itself where one was lost, cancelled or handed in twice', async () => {
    const [a, b, c, d] = await taken(4);
    await statements.settle(link, [{ kind: 'ack', job: b! }]);
    await statements.remove(link, c!.id);
    const swapped = { ...a!, token: d!.token };
    const answers = await statements.settle(link, [
      { kind: 'ack', job: swapped },
      { kind: 'ack', job: a! },
      { kind: 'ack', job: b! },
      { kind: 'ack', job: c! },
      { kind: 'release', job: a!, delayMs: 0 },
      { kind: 'release', job: d!, delayMs: 0, memo: 'kept' },
    ]);
    expect(answers.map((answer) => (answer.ok ? 'ok' : answer.reason))).toEqual([
      'lease-lost',
      'ok',
      'lease-lost',
      'cancelled',
      'lease-lost',
      'ok',
    ]);
    const { jobs } = await statements.claim(link, claimOf());
    expect(jobs.map(({ id, memo }) => [id, memo])).toEqual([[d!.id, 'kept']]);
  });

  it('an exchange that meets a lost job takes all the same, once', async () => {
    const [a, b] = await taken(2);
    await statements.settle(link, [{ kind: 'ack', job: a! }]);
    await statements.insert(link, [entry(), entry()]);
    const { settled, claimed } = await statements.exchange(
      link,
      [a!, b!].map((job) => ({ kind: 'ack', job })),
      claimOf({ limit: 1 }),
    );
    expect(settled).toEqual([{ ok: false, reason: 'lease-lost' }, { ok: true }]);
    expect(claimed.jobs.map(({ attempts }) => attempts)).toEqual([1]);
    expect(await statements.size(link, ['default'])).toMatchObject([{ pending: 1, reserved: 1 }]);
  });

  it('a renewal of what has that very end already is a renewal', async () => {
    const jobs = await taken(3);
    const gone = { ...jobs[0]!, token: 'made up' };
    for (let round = 0; round < 20; round += 1) {
      const answers = await statements.renew(link, [...jobs, gone, jobs[0]!], 30_000);
      expect(answers.map(({ ok }) => ok)).toEqual([true, true, true, false, true]);
    }
  });

  it('forgets what has expired, and nothing else', async () => {
    await statements.remember(link, 'old', 0);
    await statements.remember(link, 'new', 60_000);
    await rowsOf(link, 'INSERT INTO jobs_locks (lock_key, owner, expires_at) VALUES (?, ?, ?), (?, ?, NULL)', [
      'old',
      'o',
      1,
      'endless',
      'o',
    ]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await statements.tidy(link);
    expect(await rowsOf(link, 'SELECT id FROM jobs_once')).toEqual([['new']]);
    expect(await rowsOf(link, 'SELECT lock_key FROM jobs_locks')).toEqual([['endless']]);
    expect(await statements.isFirst(link, 'new')).toBe(false);
    expect(await statements.isFirst(link, 'another')).toBe(true);
    expect(await statements.exists(link, 'new')).toBe(false);
  });
});
