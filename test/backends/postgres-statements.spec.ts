import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { OwnLink } from '../../lib/backends/database/server/link.js';
import { describeServer, START_LIMIT_MS, useDatabase } from '../support/shared-servers.js';
import { ack, entry, fill, Links, request, SpyLink, statements, tables } from './postgres-harness.js';

const JOBS = tables.quoted.jobs;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describeServer('postgres', 'the statements on Postgres', () => {
  const database = useDatabase('postgres');
  const links = new Links(() => database.url);
  let link: OwnLink;
  beforeAll(async () => {
    link = await links.open();
    await links.install(link);
  }, START_LIMIT_MS);
  beforeEach(() => link.run(`TRUNCATE ${JOBS}`));
  afterAll(() => links.close());

  const count = async (where: string): Promise<number> => {
    const text = `SELECT count(*) FROM ${JOBS} WHERE ${where}`;
    const name = `count_${Buffer.from(where).toString('hex').slice(0, 40)}`;
    return Number((await link.query({ name, text }, [])).rows[0]![0]);
  };

  describe('insert', () => {
    it('answers a repeat within one call, and of what is there, at its place', async () => {
      const [a, b, c] = [entry(), entry(), entry()];
      expect(await statements.insert(link, [b])).toEqual([true]);
      expect(await statements.insert(link, [b])).toEqual([false]);
      expect(await statements.insert(link, [a, b, c, a, c])).toEqual([true, false, true, false, false]);
    });

    it('stores many that are alike in the order given, outside a transaction too, and answers a repeat at its place', async () => {
      const jobs = Array.from({ length: 50 }, () => entry({ priority: 2, queue: 'q"1' }));
      expect(new Set(await statements.insert(link, jobs, true))).toEqual(new Set([true]));
      const { jobs: claimed } = await statements.claim(link, request({ queues: ['q"1'], limit: 50 }));
      expect(claimed.map(({ id, body, priority }) => [id, body, priority])).toEqual(
        jobs.map(({ id, body }) => [id, body, 2]),
      );
      const [fresh, other] = [entry(), entry()];
      expect(await statements.insert(link, [fresh, jobs[3]!, other, fresh], true)).toEqual([true, false, true, false]);
      expect(await statements.insert(link, [entry(), other], true)).toEqual([true, false]);
      expect(await count('true')).toBe(53);
    });

    it('keeps bodies that hold what separates and what stands for an id', async () => {
      const plain = entry();
      const bodies = ['a\x1fb', '\x7f', `\x7f${plain.id}`, '', '{}', '{"a":"\\"\x7f"}', '\u{10FFFF}x', 'nul \0'];
      const entries = [plain, ...bodies.map((body) => entry({ body })), entry({ id: 'no uuid', body: '"no uuid"' })];
      await statements.insert(link, entries);
      const { jobs } = await statements.claim(link, request({ limit: 100 }));
      expect(jobs.map(({ id, body }) => [id, body])).toEqual(entries.map(({ id, body }) => [id, body]));
    });

    it('stores an id once, and JSON that any tool reads', async () => {
      const one = entry();
      await statements.insert(link, [one]);
      const text = `SELECT body, body::json->>'v' FROM ${JOBS}`;
      const [body, version] = (await link.query({ name: 'body', text }, [])).rows[0]!;
      expect([String(body).includes(one.id), version]).toEqual([false, '1']);
    });

    it('refuses one whose queue has a name that no index holds, before anything is stored', async () => {
      const entries = [entry(), entry({ queue: 'ü'.repeat(251) })];
      await expect(statements.insert(link, entries)).rejects.toThrow('the name of its queue has 502 bytes');
      expect(await statements.insert(link, [entry({ queue: 'ü'.repeat(250) })])).toEqual([true]);
      expect(await count('true')).toBe(1);
    });

    it('takes fewer than 300 bytes for a job with 25 of its own', async () => {
      const body = (id: string): string =>
        `{"v":1,"uuid":"${id}","name":"ProcessPodcast","createdAt":1790000000000,"data":{"payload":"${'x'.repeat(12)}"}}`;
      const ids = Array.from(
        { length: 20_000 },
        (_, at) =>
          `019a1b2c-${(at >> 8).toString(16).padStart(4, '0')}-7${(at & 255).toString(16).padStart(3, '0')}-8000-000000000000`,
      );
      for (let at = 0; at < ids.length; at += 1_000)
        await statements.insert(
          link,
          ids.slice(at, at + 1_000).map((id) => entry({ id, body: body(id) })),
        );
      const text = `SELECT pg_total_relation_size('${JOBS}')::bigint`;
      const bytes = Number((await link.query({ name: 'bytes', text }, [])).rows[0]![0]);
      expect(bytes / ids.length).toBeLessThan(300);
    });
  });

  describe('claim', () => {
    it('goes by queue, priority, time and sequence, whatever was expired', async () => {
      const lost = entry({ queue: 'b', priority: 1, body: 'lost' });
      await statements.insert(link, [lost]);
      await statements.claim(link, request({ queues: ['b'], leaseMs: 0 }));
      await statements.insert(link, [
        entry({ queue: 'b', priority: 2, body: 'b2' }),
        entry({ queue: 'a', priority: -7, body: 'a-7' }),
        entry({ queue: 'b', body: 'b0' }),
        entry({ queue: 'b', priority: 1, body: 'b1' }),
        entry({ queue: 'a', body: 'a0' }),
        entry({ queue: 'a', body: 'a0 too' }),
      ]);
      const { jobs } = await statements.claim(link, request({ queues: ['a', 'x', 'b', 'a'] }));
      expect(jobs.map(({ body }) => body)).toEqual(['a0', 'a0 too', 'a-7', 'b2', 'lost', 'b1', 'b0']);
      expect(jobs.map(({ stalls }) => stalls)).toEqual([0, 0, 0, 0, 1, 0, 0]);
    });

    it('tells when the next job or lease is due, where nothing was taken', async () => {
      expect(await statements.claim(link, request())).toEqual({ jobs: [] });
      await statements.insert(link, [entry({ delayMs: 90_000 }), entry({ delayMs: 50_000, priority: -3 })]);
      const delayed = await statements.claim(link, request());
      expect(delayed.nextInMs).toBeGreaterThan(45_000);
      expect(delayed.nextInMs).toBeLessThanOrEqual(50_001);
      await statements.insert(link, [entry()]);
      expect((await statements.claim(link, request({ leaseMs: 20_000 }))).jobs).toHaveLength(1);
      expect((await statements.claim(link, request())).nextInMs).toBeLessThanOrEqual(20_000);
    });

    it('tells of a job that is due in a moment when that is', async () => {
      await statements.insert(link, [entry({ delayMs: 12 })]);
      // Nothing where this machine was so slow that it has been taken.
      expect((await statements.claim(link, request())).nextInMs ?? 0).toBeLessThanOrEqual(13);
    });

    it('does not wait for jobs in the hands of another transaction, and comes back for them soon', async () => {
      await fill(link, 3);
      const other = await links.open();
      await other.run('BEGIN');
      expect((await statements.claimWithin(other, request({ limit: 2 }))).jobs).toHaveLength(2);
      expect((await statements.claim(link, request())).jobs).toHaveLength(1);
      const empty = await statements.claim(link, request());
      expect([empty.jobs.length, empty.nextInMs]).toEqual([0, 20]);
      await other.run('ROLLBACK');
      expect((await statements.claim(link, request())).jobs).toHaveLength(2);
    });

    it('finds what committed behind the point it has come to, at the latest when it finds nothing else', async () => {
      const other = await links.open();
      await other.run('BEGIN');
      await statements.insert(other, [entry({ body: 'late' })]);
      await pause(5);
      await fill(link, 12);
      const { jobs } = await statements.claim(link, request({ limit: 4 }));
      await other.run('COMMIT');
      const next = await statements.exchange(link, jobs.map(ack), request({ limit: 8 }));
      expect(next.claimed.jobs).toHaveLength(8);
      await statements.insert(link, [entry({ body: 'urgent', priority: 1 })]);
      const urgent = await statements.claim(link, request({ limit: 1 }));
      expect(urgent.jobs[0]!.body).toBe('urgent');
      const last = await statements.exchange(link, next.claimed.jobs.map(ack), request());
      expect([...next.claimed.jobs, ...last.claimed.jobs].filter(({ body }) => body === 'late')).toHaveLength(1);
    });

    it('walks over nothing that was taken before, between two vacuums', async () => {
      await link.run(`ALTER TABLE ${JOBS} SET (autovacuum_enabled = false)`);
      await fill(link, 21_000);
      for (let taken = 0; taken < 20_000; taken += 500) {
        const { jobs } = await statements.claim(link, request({ limit: 500 }));
        await statements.settle(link, jobs.map(ack));
      }
      await link.run(`ALTER TABLE ${JOBS} RESET (autovacuum_enabled)`);
      const spy = new SpyLink(link);
      expect((await statements.claim(spy, request({ limit: 10 }))).jobs).toHaveLength(10);
      const pages = (plan: string): number => Number(/Buffers: shared hit=(\d+)/.exec(plan)![1]);
      const from = async (link: SpyLink): Promise<number> => pages(await link.plan());
      // From the beginning, then from where that claim began; on a machine so slow that the mark is over by then, once more.
      let saved = 0;
      for (let tries = 0; tries < 10 && saved <= 80; tries += 1) {
        await pause(110);
        await statements.claim(spy, request({ limit: 10 }));
        const whole = await from(spy);
        await statements.claim(spy, request({ limit: 10 }));
        saved = whole - (await from(spy));
      }
      expect(saved).toBeGreaterThan(80);
    });

    it('gives the jobs of a claim whose answer was lost once more, in order', async () => {
      await fill(link, 5, (index) => ({ priority: index }));
      const asked = request();
      const { jobs } = await statements.claim(link, asked);
      await statements.insert(link, [entry()]);
      const again = await statements.recover(link, asked);
      expect(again.map(({ token }) => token)).toEqual(jobs.map(({ token }) => token));
      expect((await statements.settle(link, again.map(ack))).every(({ ok }) => ok)).toBe(true);
      expect(await statements.recover(link, asked)).toEqual([]);
    });

    it.each([
      ['50,000 jobs', () => fill(link, 50_000)],
      [
        '50,000 delayed ones of a higher priority in front',
        () => fill(link, 50_000, (at) => (at < 200 ? {} : { delayMs: 9e6, priority: 3 })),
      ],
      ['a thousand priorities', () => fill(link, 50_000, (at) => ({ priority: at % 1_000 }))],
    ])('walks indexes alone, without statistics: %s', async (_, prepare) => {
      await prepare();
      const spy = new SpyLink(link);
      const { jobs } = await statements.claim(spy, request({ limit: 100 }));
      expect(jobs).toHaveLength(100);
      const claim = await spy.plan();
      await statements.exchange(spy, jobs.slice(50).map(ack), request({ limit: 100 }));
      for (const plan of [claim, await spy.plan()]) {
        expect(plan).not.toMatch(/Seq Scan|Bitmap|Hash Join|Merge Join/);
        // What is sorted is what was found: 100 rows.
        for (const [, kilobytes] of plan.matchAll(/Sort Method: .* Memory: (\d+)kB/g))
          expect(Number(kilobytes)).toBeLessThan(100);
        expect(Number(/Buffers: shared hit=(\d+)/.exec(plan)![1])).toBeLessThan(4_000);
      }
    });
  });

  describe('exchange', () => {
    it('goes on through one priority in order, and leaves it for a higher one and for what was given back', async () => {
      await fill(link, 30, (index) => ({ body: `job ${index}` }));
      const spy = new SpyLink(link);
      let jobs = (await statements.claim(link, request({ limit: 5 }))).jobs;
      const order = jobs.map(({ body }) => body);
      const exchange = async (limit: number): Promise<string[]> => {
        const { settled, claimed } = await statements.exchange(spy, jobs.map(ack), request({ limit }));
        expect(settled.every(({ ok }) => ok)).toBe(true);
        jobs = claimed.jobs;
        return jobs.map(({ body }) => body);
      };
      for (let round = 0; round < 3; round += 1) order.push(...(await exchange(5)));
      expect(order).toEqual(Array.from({ length: 20 }, (_, index) => `job ${index}`));
      expect(await spy.plan()).not.toContain('Recursive');
      await statements.insert(link, [entry({ body: 'urgent', priority: 1 })]);
      expect(await exchange(1)).toEqual(['urgent']);
      const [back] = (await statements.claim(link, request({ limit: 1 }))).jobs;
      await statements.settle(link, [{ kind: 'release', job: back!, delayMs: 0 }]);
      const rest = [...(await exchange(5)), ...(await exchange(5)), ...(await exchange(5))];
      expect(rest).toEqual([...Array.from({ length: 9 }, (_, index) => `job ${21 + index}`), 'job 20']);
      expect(await count('true')).toBe(0);
    });

    it('lets the ack win over the end of its own lease', async () => {
      await fill(link, 3);
      const { jobs } = await statements.claim(link, request({ limit: 2, leaseMs: 0 }));
      const [mine, lost] = jobs;
      // Under load leases are looked at ten times a second.
      await pause(110);
      const { settled, claimed } = await statements.exchange(link, [ack(mine!)], request());
      expect(settled).toEqual([{ ok: true }]);
      expect(claimed.jobs.map(({ stalls }) => stalls)).toEqual([1, 0]);
      expect(claimed.jobs.map(({ id }) => id)).not.toContain(mine!.id);
      expect(await statements.settle(link, [ack(lost!)])).toEqual([{ ok: false, reason: 'lease-lost' }]);
      expect(await count(`id = '${mine!.id}'`)).toBe(0);
    });

    it('takes what it has released the next time', async () => {
      await fill(link, 1);
      const [job] = (await statements.claim(link, request())).jobs;
      const traded = await statements.exchange(link, [{ kind: 'release', job: job!, delayMs: 0 }], request());
      expect([traded.settled, traded.claimed.jobs]).toEqual([[{ ok: true }], []]);
      expect((await statements.claim(link, request())).jobs[0]).toMatchObject({ id: job!.id, attempts: 2 });
    });

    it('answers each at its place: done, stale, removed by hand, and twice', async () => {
      await fill(link, 6);
      const { jobs } = await statements.claim(link, request());
      const [a, b, c, d, e, f] = jobs;
      await statements.remove(link, b!.id);
      const { settled } = await statements.exchange(
        link,
        [
          ack(a!),
          ack(b!),
          { kind: 'release', job: c!, delayMs: 5, memo: 'it\'s "\\' },
          ack(c!),
          ack({ ...d!, token: 'made\x1fup' }),
          ack(e!),
          { kind: 'release', job: { ...f!, id: 'another' }, delayMs: 0 },
          ack(b!),
        ],
        request(),
      );
      expect(settled.map((one) => (one.ok ? 'ok' : one.reason))).toEqual([
        'ok',
        'cancelled',
        'ok',
        'lease-lost',
        'lease-lost',
        'ok',
        'lease-lost',
        'cancelled',
      ]);
    });
  });

  it('clears what is being claimed meanwhile, and gives locks back', async () => {
    await fill(link, 10);
    await link.run(`INSERT INTO ${tables.quoted.locks} VALUES ('key', 'owner', NULL), ('other', 'owner', NULL)`);
    await statements.insert(link, [entry({ lock: { key: 'key', owner: 'owner', ttlMs: 1 } })]);
    const last = await statements.last(link);
    const later = entry();
    await statements.insert(link, [later]);
    const other = await links.open();
    await other.run('BEGIN');
    await statements.claimWithin(other, request());
    const clearing = statements.clear(link, 'default', last, 100);
    await pause(50);
    await other.run('COMMIT');
    expect(await clearing).toBe(11);
    expect((await statements.claim(link, request())).jobs.map(({ id }) => id)).toEqual([later.id]);
    const locks = await link.query({ name: 'locks', text: `SELECT lock_key FROM ${tables.quoted.locks}` }, []);
    expect(locks.rows).toEqual([['other']]);
  });

  it('forgets what has expired in the side tables, and nothing else', async () => {
    await statements.remember(link, 'kept', 60_000);
    await statements.remember(link, 'for ever', Infinity);
    await statements.remember(link, 'gone', 0);
    await statements.tidy(link);
    const { rows } = await link.query({ name: 'once', text: `SELECT id FROM ${tables.quoted.once} ORDER BY id` }, []);
    expect(rows).toEqual([['for ever'], ['kept']]);
    expect(await statements.isFirst(link, 'kept')).toBe(false);
    expect(await statements.isFirst(link, 'another')).toBe(true);
    expect(await statements.exists(link, 'kept')).toBe(false);
  });
});
