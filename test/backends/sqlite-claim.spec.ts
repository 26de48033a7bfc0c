import { afterEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../lib/testing/fake-clock.js';
import { job, jobs, request, SqliteFiles } from './sqlite-harness.js';

const files = new SqliteFiles();
afterEach(() => files.close());

/** Rows by the hundred thousand, faster than a push would store them. */
async function fill(count: number, priority: string): Promise<void> {
  (await files.raw()).exec(`
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO jobs (id, queue, priority, available_at, created_at, body)
    SELECT 'delayed-' || i, 'default', ${priority}, 4000000000000 + i, 0, '{}' FROM n`);
}

async function fastest(work: () => Promise<void>): Promise<number> {
  let best = Infinity;
  for (let round = 0; round < 40; round++) {
    const started = performance.now();
    await work();
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

describe('a claim', () => {
  it('is not slowed by 200,000 delayed jobs, whatever their priority', async () => {
    const queue = (await files.backend()).queue!;
    const one = async (): Promise<void> => {
      await queue.push([job()]);
      const taken = await queue.reserve(request());
      expect(taken).toHaveLength(1);
      await queue.settle([{ kind: 'ack', job: taken[0]! }]);
    };
    const before = await fastest(one);
    await fill(200_000, 'i % 5');
    // A walk over them would take tens of milliseconds.
    expect(await fastest(one)).toBeLessThan(before * 3 + 2);
    const looking = await fastest(async () => void (await queue.reserve(request())));
    expect(looking).toBeLessThan(2);
  }, 60_000);

  it('reads one row for each of 500 priorities', async () => {
    const queue = (await files.backend()).queue!;
    await queue.push([job({ priority: -1 })]);
    await fill(50_000, 'i % 500');
    const looking = await fastest(async () => void (await queue.reserve(request({ limit: 1, leaseMs: 0.001 }))));
    expect(looking).toBeLessThan(30);
  }, 60_000);

  it('of an idle worker writes nothing', async () => {
    const clock = new FakeClock();
    const queue = (await files.backend({ clock })).queue!;
    await queue.push([job({ delayMs: 3_600_000 })]);
    const raw = await files.raw();
    const version = (): unknown => (raw.prepare('PRAGMA data_version').get() as { data_version: number }).data_version;
    const before = version();
    const waiting = queue.reserve(request({ waitMs: 20_000 }));
    await clock.advance(20);
    expect(await waiting).toEqual([]);
    expect(version()).toBe(before);
  });

  it('is looked for every few seconds when there was nothing for a while and the file is listened to', async () => {
    const clock = new FakeClock();
    const queue = (await files.backend({ clock })).queue!;
    await queue.push([job({ delayMs: 3_600_000 })]);
    await clock.advance(60);
    let looks = 0;
    const after = clock.after.bind(clock);
    clock.after = (ms, fn) => {
      looks++;
      return after(ms, fn);
    };
    for (let call = 0; call < 10; call++) {
      const waiting = queue.reserve(request({ waitMs: 3_000 }));
      await clock.advance(3);
      expect(await waiting).toEqual([]);
    }
    expect(looks).toBeLessThanOrEqual(20);
    expect(looks).toBeGreaterThanOrEqual(10);
  });
});

describe('a waiting worker', () => {
  it('hears a write of another connection by the file alone', async () => {
    // Under a clock that stands still no poll ever comes.
    const queue = (await files.backend({ clock: new FakeClock() })).queue!;
    await queue.push(jobs(1));
    const raw = await files.raw();
    await queue.settle((await queue.reserve(request())).map((one) => ({ kind: 'ack', job: one })));
    const waiting = queue.reserve(request({ waitMs: 10_000 }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const started = performance.now();
    raw.exec(
      `INSERT INTO jobs (id, queue, priority, available_at, created_at, body) VALUES ('from-outside', 'default', 0, 0, 0, '{}')`,
    );
    expect((await waiting).map((one) => one.id)).toEqual(['from-outside']);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it('hears a delayed push and takes the job when it is due, a few milliseconds late at most', async () => {
    const queue = (await files.backend()).queue!;
    await queue.push(jobs(1));
    await queue.settle((await queue.reserve(request())).map((one) => ({ kind: 'ack', job: one })));
    const late: number[] = [];
    for (let round = 0; round < 5; round++) {
      const waiting = queue.reserve(request({ waitMs: 5_000 }));
      await new Promise((resolve) => setTimeout(resolve, 30));
      const due = Date.now() + 200;
      await queue.push([job({ delayMs: 200 })]);
      const taken = await waiting;
      late.push(Date.now() - due);
      await queue.settle(taken.map((one) => ({ kind: 'ack', job: one })));
    }
    // One of five may meet a busy machine; none may be early.
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    expect([...late].sort((a, b) => a - b)[2]).toBeLessThan(40);
  });

  it('of another connection in this process is woken without the file', async () => {
    const clock = new FakeClock();
    const one = (await files.backend({ clock })).queue!;
    const other = (await files.backend({ clock })).queue!;
    const waiting = one.reserve(request({ waitMs: 10_000 }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await other.push(jobs(1));
    expect(await waiting).toHaveLength(1);
  });
});

describe('what cannot be bound', () => {
  it('is refused by itself and leaves the process alive', async () => {
    const queue = (await files.backend()).queue!;
    const bad = [
      { body: true },
      { body: undefined },
      { priority: true },
      { queue: 5 },
      { id: false },
    ] as unknown as object[];
    const good = jobs(2);
    const answers = await queue.push([good[0]!, ...bad.map((over) => ({ ...job(), ...over })), good[1]!]);
    expect(answers.map((answer) => answer.stored)).toEqual([true, false, false, false, false, false, true]);
    const [taken] = await queue.reserve(request({ limit: 1 }));
    const settled = await queue.settle([
      { kind: 'ack', job: { ...taken!, token: true as unknown as string } },
      { kind: 'release', job: taken!, delayMs: NaN },
      { kind: 'ack', job: taken! },
    ]);
    expect(settled.map((answer) => (answer.ok ? 'ok' : answer.reason))).toEqual(['error', 'error', 'ok']);
  });
});

describe('a closed connection', () => {
  it('says so', async () => {
    const backend = await files.backend();
    await backend.queue!.push([job()]);
    await backend.close();
    await expect(backend.queue!.push([job()])).rejects.toMatchObject({ code: 'ERR_QUEUE_STORE_CLOSED' });
    await expect(backend.queue!.reserve(request())).rejects.toMatchObject({ code: 'ERR_QUEUE_STORE_CLOSED' });
  });
});
