import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Job,
  JobFailed,
  Limit,
  Middleware,
  Queueable,
  RateLimited,
  RateLimitedWithRedis,
  RateLimiter,
  ThrottlesExceptions,
  ThrottlesExceptionsWithRedis,
  Tries,
  WithoutOverlapping,
  type ConnectionOptions,
} from 'nestjs-queue';
import { freshRedis } from '../support/shared-redis.js';
import { freshDatabase, START_LIMIT_MS } from '../support/shared-servers.js';
import { closeApps, openApp, sleep, sqliteOptions, until, type Opened } from './open-app.js';
import { canHave } from './processes/site.js';

const STORES = (['memory', 'sqlite', 'postgres', 'mariadb', 'redis'] as const).filter(
  (store) => store === 'memory' || canHave(store),
);

let ran: string[] = [];
let atOnce = 0;
let most = 0;
let script: (job: Named) => unknown = () => {};

abstract class Named extends Queueable {
  constructor(readonly name = '') {
    super();
  }
  async handle() {
    ran.push(this.name);
    atOnce += 1;
    most = Math.max(most, atOnce);
    try {
      await script(this);
    } finally {
      atOnce -= 1;
    }
  }
}
@Job()
@Tries(0)
@Middleware(new RateLimited('narrow').releaseAfter('50ms'))
class Narrow extends Named {}
@Job()
@Tries(0)
class Alone extends Named {
  middleware() {
    return [new WithoutOverlapping(this.name).releaseAfter('20ms')];
  }
}
@Job()
@Tries(0)
@Middleware(new ThrottlesExceptions(3, 60).backoff('10ms').byJob())
class Fragile extends Named {}
@Job()
@Tries(0)
class OnRedis extends Named {
  middleware() {
    return [
      new RateLimitedWithRedis('narrow').releaseAfter('50ms'),
      new ThrottlesExceptionsWithRedis(2, 60).connection('kept'),
    ];
  }
}
const JOBS = [Narrow, Alone, Fragile, OnRedis];

describe.each(STORES)('limits and locks on %s', (store) => {
  let connection: (dir: string) => object;
  let drop: (() => Promise<void>) | undefined;
  let at: Opened;
  let dir: string;
  let limiter: RateLimiter;

  beforeAll(async () => {
    if (store === 'memory') {
      connection = () => ({ driver: 'memory' });
    } else if (store === 'sqlite') {
      connection = (dir) => sqliteOptions(dir);
    } else if (store === 'redis') {
      const fresh = await freshRedis();
      connection = () => ({ driver: 'redis', url: fresh.url, prefix: fresh.prefix });
      drop = () => fresh.drop();
    } else {
      const fresh = await freshDatabase(store);
      connection = () => ({ driver: 'database', dataSource: { type: store, url: fresh.url }, migrate: true });
      drop = () => fresh.drop();
    }
  }, START_LIMIT_MS);
  afterAll(async () => drop?.(), START_LIMIT_MS);
  beforeEach(async () => {
    ran = [];
    most = atOnce = 0;
    script = () => {};
    dir = mkdtempSync(join(tmpdir(), 'queue-limits-'));
    const kept = { ...connection(dir), retryAfter: '1s' };
    at = await openApp('memory', {
      providers: JOBS,
      options: { default: 'kept', connections: { kept: kept as ConnectionOptions } },
    });
    limiter = at.app.get(RateLimiter);
  }, 30_000);
  afterEach(async () => {
    await at.manager.connection().clear();
    await closeApps();
    rmSync(dir, { recursive: true, force: true });
  });
  /** Works until nothing comes any more. */
  const whole = (more = {}) => at.workers.work({ stopWhenEmptyFor: '300ms', sleep: '20ms', concurrency: 8, ...more });
  const unique = (name: string): string => `${name}-${Date.now()}-${Math.random()}`;

  it('RateLimited lets through what its windows have room for, and none gets lost', async () => {
    const key = unique('k');
    limiter.for('narrow', () => [Limit.perSecond(4).by(key), Limit.perMinute(10).by(`${key}/m`)]);
    const starts: number[] = [];
    script = () => void starts.push(Date.now());
    await at.bus.bulk(Array.from({ length: 12 }, (_, n) => new Narrow(String(n))));
    const work = at.workers.work({ sleep: '20ms', concurrency: 8 });
    await until(() => ran.length >= 10, 'ten runs', 10_000);
    await sleep(1_200);
    await at.workers.stop();
    await work;
    expect(ran).toHaveLength(10);
    expect(new Set(ran).size).toBe(10);
    // Whatever the windows' bounds: among nine in a row there is a whole window.
    expect(starts[8]! - starts[0]!).toBeGreaterThanOrEqual(900);
    expect(await at.manager.connection().size()).toMatchObject({ total: 2 });
    expect(at.seen.some((one) => one instanceof JobFailed)).toBe(false);
  }, 30_000);

  it('several limits are taken together or not at all', async () => {
    const limits = (await at.manager.connection().backend()).limits!;
    const [wide, narrow] = [unique('wide'), unique('narrow')];
    const both = [
      { key: wide, max: 100, windowMs: 60_000 },
      { key: narrow, max: 3, windowMs: 60_000 },
    ];
    const answers = await Promise.all(Array.from({ length: 30 }, () => limits.take(both)));
    expect(answers.filter(({ allowed }) => allowed)).toHaveLength(3);
    expect(await limits.peek([both[0]!])).toMatchObject({ remaining: 97 });
  });

  it('WithoutOverlapping runs one of a key at a time, and different keys beside each other', async () => {
    script = () => sleep(30);
    const [a, b] = [unique('a'), unique('b')];
    await at.bus.bulk([a, a, a, b, b, b].map((name) => new Alone(name)));
    const now = new Map<string, number>();
    let overlapped = false;
    script = async ({ name }) => {
      now.set(name, (now.get(name) ?? 0) + 1);
      if (now.get(name)! > 1) overlapped = true;
      await sleep(200);
      now.set(name, now.get(name)! - 1);
    };
    await whole();
    expect(ran).toHaveLength(6);
    expect(overlapped).toBe(false);
    expect(most).toBe(2);
  }, 30_000);

  it('WithoutOverlapping keeps the lock of a job that runs longer than the lease', async () => {
    script = () => sleep(1_800);
    const name = unique('long');
    await at.bus.bulk([new Alone(name), new Alone(name)]);
    await whole({ stopWhenEmptyFor: '400ms' });
    expect(ran).toHaveLength(2);
    expect(most).toBe(1);
  }, 30_000);

  it('ThrottlesExceptions counts, and stops running what keeps failing', async () => {
    script = () => {
      throw new Error('boom');
    };
    await at.bus.dispatch(new Fragile());
    await whole();
    expect(ran).toHaveLength(3);
    expect(await at.manager.connection().size()).toMatchObject({ delayed: 1 });
  }, 30_000);

  it('throttle: exactly as many as it allows', async () => {
    const key = unique('throttle');
    let worked = 0;
    const one = () =>
      limiter
        .throttle(key)
        .allow(5)
        .every(60)
        .block(0)
        .then(
          () => void (worked += 1),
          () => undefined,
        );
    await Promise.all(Array.from({ length: 20 }, one));
    expect(worked).toBe(5);
  });

  it('throttle: waits for the next window', async () => {
    const slow = limiter.throttle(unique('slow')).allow(1).every('400ms').sleep(20);
    const before = Date.now();
    await slow.then(() => 1);
    await slow.then(() => 2);
    expect(Date.now() - before).toBeGreaterThanOrEqual(380);
  });

  it('funnel: never more at a time than it allows, and all get through', async () => {
    const key = unique('funnel');
    let inside = 0;
    let peak = 0;
    let done = 0;
    const one = () =>
      limiter
        .funnel(key)
        .limit(3)
        .block(20)
        .sleep(10)
        .then(async () => {
          inside += 1;
          peak = Math.max(peak, inside);
          await sleep(120);
          inside -= 1;
          done += 1;
        });
    await Promise.all(Array.from({ length: 15 }, one));
    expect(done).toBe(15);
    expect(peak).toBe(3);
  }, 30_000);

  if (store === 'redis') {
    it('…WithRedis counts on the first redis connection, or the one that is named', async () => {
      limiter.for('narrow', () => Limit.perMinute(1).by(unique('r')));
      script = () => {
        throw new Error('boom');
      };
      await at.bus.bulk([new OnRedis('1'), new OnRedis('2'), new OnRedis('3')]);
      await whole({ concurrency: 1 });
      expect(ran).toHaveLength(2);
      expect(await at.manager.connection().size()).toMatchObject({ delayed: 3 });
    }, 30_000);
  }
});
