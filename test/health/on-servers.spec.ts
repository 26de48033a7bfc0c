import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Job, QueueHealth, type HealthCheckOptions, type HealthReport } from 'nestjs-queue';
import { closeApps, openApp, sleep, until, type Opened } from '../flows/open-app.js';
import { describeRedis, freshRedis, START_LIMIT_MS, type FreshRedis } from '../support/shared-redis.js';
import { describeServer, freshDatabase, useDatabase, type FreshDatabase } from '../support/shared-servers.js';
import { TcpProxy } from '../support/tcp-proxy.js';

@Job()
class Greet {
  handle(): void {}
}

interface Reached {
  readonly url: string;
  readonly drop: () => Promise<void>;
  readonly connection: (url: string) => object;
}

afterEach(closeApps);

const check = (at: Opened, options?: HealthCheckOptions): Promise<HealthReport> =>
  at.app.get(QueueHealth).check({ queues: ['main:default'], ...options });

/** By way of a proxy, which breaks what lies between. */
function stories(reach: () => Promise<Reached>): void {
  let store: Reached;
  let proxy: TcpProxy;
  beforeAll(async () => {
    store = await reach();
    proxy = await TcpProxy.to(Number(new URL(store.url).port));
  }, START_LIMIT_MS);
  afterAll(async () => {
    await proxy?.close();
    await store?.drop();
  }, START_LIMIT_MS);

  const open = (): Promise<Opened> =>
    openApp('memory', {
      providers: [Greet],
      options: { default: 'main', connections: { main: store.connection(proxy.url(store.url)) as never } },
    });

  it('is up while the store answers, and tells what waits there', async () => {
    const at = await open();
    await at.bus.dispatch(new Greet());
    await sleep(50);
    const report = await check(at, { maxWait: '20ms' });
    expect(report.connections['main']).toMatchObject({ status: 'up' });
    expect(report.queues).toMatchObject([{ state: 'not_consumed', pending: 1, reserved: 0, paused: false }]);
    expect(report.queues[0]!.oldestWait).toBeGreaterThan(0.02);

    await at.manager.pause('main', 'default');
    expect(await check(at, { maxWait: '20ms' })).toMatchObject({ status: 'up', queues: [{ state: 'paused' }] });
    await at.manager.resume('main', 'default');
    await at.drain();
    expect(await check(at, { maxWait: '20ms' })).toMatchObject({
      status: 'up',
      problems: [],
      queues: [{ state: 'ok', pending: 0, oldestWait: 0 }],
    });
  });

  it('is down within its time limit while the store does not answer, and up again after that', async () => {
    const at = await open();
    expect((await check(at)).status).toBe('up');
    proxy.blackhole();
    try {
      const before = performance.now();
      const report = await check(at, { timeout: '300ms' });
      expect(performance.now() - before).toBeLessThan(3_000);
      expect(report).toMatchObject({
        status: 'down',
        connections: { main: { status: 'down', fault: 'unreachable' } },
        queues: [{ state: 'unknown', pending: null, oldestWait: null }],
      });
      expect(report.problems).toEqual([expect.stringMatching(/^The store of the \[main\] connection/)]);
    } finally {
      proxy.restore();
    }
    await until(async () => (await check(at)).status === 'up', 'the store to be back', 15_000);
  });

  it('is down where nobody takes the connection', async () => {
    const at = await open();
    expect((await check(at)).status).toBe('up');
    proxy.refuse();
    try {
      await until(async () => (await check(at, { timeout: 1 })).status === 'down', 'it to be down', 10_000);
      const { connections } = await check(at, { timeout: 1 });
      expect(connections['main']).toMatchObject({ status: 'down', fault: 'unreachable' });
    } finally {
      proxy.restore();
    }
    await until(async () => (await check(at)).status === 'up', 'the store to be back', 15_000);
  });
}

describeServer('postgres', 'health on Postgres', () => {
  stories(async () => {
    const database: FreshDatabase = await freshDatabase('postgres');
    return {
      url: database.url,
      drop: () => database.drop(),
      connection: (url) => ({ driver: 'database', dataSource: { type: 'postgres', url }, migrate: true }),
    };
  });

  describe('without its tables', () => {
    const database = useDatabase('postgres');

    it('is down, and names the command that makes them', async () => {
      const main = { driver: 'database', dataSource: { type: 'postgres', url: database.url }, migrate: false };
      const at = await openApp('memory', { options: { default: 'main', connections: { main: main as never } } });
      const report = await check(at);
      expect(report.connections['main']).toMatchObject({ status: 'down', fault: 'tables' });
      expect(report.problems).toEqual([expect.stringMatching(/queue:install/)]);
      expect(JSON.stringify(report)).not.toContain(new URL(database.url).password || 'no password');
    });
  });

  describe('whose tables have gone', () => {
    const database = useDatabase('postgres');

    it('says so, although it had found them', async () => {
      const open = (migrate: boolean): Promise<Opened> => {
        const main = { driver: 'database', dataSource: { type: 'postgres', url: database.url }, migrate };
        return openApp('memory', { options: { default: 'main', connections: { main: main as never } } });
      };
      expect((await check(await open(true))).status).toBe('up');
      const at = await open(false);
      expect((await check(at)).status).toBe('up');
      const { default: pg } = await import('pg');
      const client = new pg.Client(database.url);
      await client.connect();
      await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
      await client.end();
      expect((await check(at)).connections['main']).toMatchObject({ status: 'down', fault: 'tables' });
      // One that may make them does so.
      expect((await check(await open(true))).status).toBe('up');
      expect((await check(at)).status).toBe('up');
    });
  });
});

describeRedis('health on Redis', () => {
  stories(async () => {
    const redis: FreshRedis = await freshRedis();
    return {
      url: redis.url,
      drop: () => redis.drop(),
      connection: (url) => ({ driver: 'redis', url, prefix: redis.prefix }),
    };
  });
});
