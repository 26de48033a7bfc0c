import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { AfterCommit, Job, JobProcessed, Queueable, UniqueJobSkipped, type QueueModuleOptions } from 'nestjs-queue';
import type { DataSource, EntityManager } from 'typeorm';
import { QUEUE_RUNTIME } from '../../lib/nest/tokens.js';
import type { QueueRuntime } from '../../lib/nest/wiring.js';
import { installSchema } from '../../lib/operations/install-schema.js';
import { freshRedis, type FreshRedis } from '../support/shared-redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { closeApps, openApp, sleep, until, type Opened } from './open-app.js';
import { describeSql, OrderSchema, type SqlSource } from './sql-sources.js';

const ran: string[] = [];

@Job()
@AfterCommit()
class Bill extends Queueable {
  constructor(public order: string) {
    super();
  }
  handle() {
    ran.push(this.order);
  }
}

const PATIENCE_MS = 20_000;
/** How the drivers call it. */
const CUT = /ECONNRESET|terminated|closed state|already released/i;
const order = (manager: EntityManager, id: number): Promise<unknown> => manager.save(OrderSchema, { id, state: 'new' });

describeSql('an outbox and what may go wrong', ['postgres', 'mariadb'], (source) => {
  let redis: FreshRedis;
  let toRedis: TcpProxy;
  let toData: TcpProxy;
  let at: Opened;
  let app: DataSource;
  let logged: string[];

  beforeEach(async () => {
    ran.length = 0;
    logged = [];
    redis = await freshRedis();
    toRedis = await TcpProxy.to(Number(new URL(redis.url).port));
    toData = await TcpProxy.to(Number(new URL(source.url).port));
    at = await open(
      source,
      { redisUrl: toRedis.url(redis.url), dataUrl: toData.url(source.url), prefix: redis.prefix },
      logged,
    );
    app = at.app.get(getDataSourceToken('orders'));
    await installSchema(at.app.get<QueueRuntime>(QUEUE_RUNTIME).connections, 'redis');
    await app.query('DELETE FROM orders');
    await app.query('DELETE FROM queue_outbox');
  });
  afterEach(async () => {
    toRedis.restore();
    toData.restore();
    await closeApps();
    await toRedis.close();
    await toData.close();
    await redis.drop();
  });

  const waiting = async (): Promise<number> => Number((await app.query('SELECT count(*) AS n FROM queue_outbox'))[0].n);
  const processed = (): number => at.seen.filter((one) => one instanceof JobProcessed).length;
  const orders = async (): Promise<number[]> => {
    const rows: { id: unknown }[] = await app.query('SELECT id FROM orders ORDER BY id');
    return rows.map(({ id }) => Number(id));
  };

  it('waits for a target that is away, and keeps the order', async () => {
    const work = at.workers.work({ sleep: '20ms' });
    await app.transaction(async () => void (await at.bus.dispatch(new Bill('first'))));
    await until(() => processed() === 1, 'the first', PATIENCE_MS);
    toRedis.refuse();
    for (let n = 1; n <= 3; n++) {
      await app.transaction(async (manager) => {
        await order(manager, n);
        await at.bus.dispatch(new Bill(`${n}`));
      });
    }
    await sleep(3_000);
    expect([await waiting(), await orders(), ran]).toEqual([3, [1, 2, 3], ['first']]);
    expect(logged.some((line) => line.includes('does not take what its outbox holds'))).toBe(true);
    toRedis.restore();
    await app.transaction(async () => void (await at.bus.dispatch(new Bill('4'))));
    await until(() => ran.length === 5, 'all', PATIENCE_MS);
    expect(ran).toEqual(['first', '1', '2', '3', '4']);
    await until(async () => (await waiting()) === 0, 'an empty outbox', PATIENCE_MS);
    await at.workers.stop();
    expect(await work).toBe('interrupted');
  }, 60_000);

  it('hands what it could not send to the next one, in order, when the worker ends', async () => {
    // Its leases last longer than this test.
    const send = (bill: Bill): PromiseLike<unknown> => at.bus.dispatch(bill).onConnection('slow');
    const work = at.workers.work({ connection: 'slow', sleep: '20ms' });
    await app.transaction(async () => void (await send(new Bill('first'))));
    await until(() => processed() === 1, 'the first', PATIENCE_MS);
    toRedis.refuse();
    for (const one of ['1', '2']) await app.transaction(async () => void (await send(new Bill(one))));
    await until(() => logged.some((line) => line.includes('does not take')), 'a push that failed', PATIENCE_MS);
    await at.workers.stop();
    await work;
    await app.transaction(async () => void (await send(new Bill('3'))));
    toRedis.restore();
    const again = at.workers.work({ connection: 'slow', sleep: '20ms' });
    await until(() => ran.length === 4, 'all', PATIENCE_MS);
    expect(ran).toEqual(['first', '1', '2', '3']);
    await at.workers.stop();
    await again;
  }, 60_000);

  it('fails the dispatch where its database is away; workers go on, and so does the relay', async () => {
    const work = at.workers.work({ sleep: '20ms' });
    await app.transaction(async () => void (await at.bus.dispatch(new Bill('first'))));
    await until(() => processed() === 1, 'the first', PATIENCE_MS);
    const lost = app.transaction(async (manager) => {
      await order(manager, 1);
      toData.refuse();
      await at.bus.dispatch(new Bill('lost'));
    });
    await expect(lost).rejects.toThrow(CUT);
    // Redis is another store: its workers do not notice.
    await at.bus.dispatch(new Bill('at once'));
    await until(() => ran.includes('at once'), 'the job beside it', PATIENCE_MS);
    await sleep(1_000);
    toData.restore();
    await until(
      () =>
        app
          .transaction(async () => void (await at.bus.dispatch(new Bill('after'))))
          .then(
            () => true,
            () => false,
          ),
      'a commit',
      PATIENCE_MS,
    );
    await until(() => ran.includes('after'), 'the job after it', PATIENCE_MS);
    expect(ran).toEqual(['first', 'at once', 'after']);
    expect(await orders()).toEqual([]);
    await at.workers.stop();
    await work;
  }, 60_000);

  it.each([
    ['did not get there', 'client'],
    ['was not answered', 'server'],
  ] as const)(
    'shares the fate of the rows where the COMMIT %s',
    async (_how, from) => {
      const lost = app.transaction(async (manager) => {
        await order(manager, 1);
        await at.bus.dispatch(new Bill('in the outbox'));
        await at.bus.dispatch(new Bill('in memory')).onConnection('bare');
        toData.cut({ from, after: 0 });
      });
      await expect(lost).rejects.toThrow(CUT);
      toData.restore();
      const committed = from === 'server';
      await until(
        async () => (await orders()).length === (committed ? 1 : 0),
        'the end of the transaction',
        PATIENCE_MS,
      );
      expect(await waiting()).toBe(committed ? 1 : 0);
      await until(() => logged.some((line) => line.includes('got no answer')), 'the report');
      expect(logged.filter((line) => line.includes('got no answer'))).toEqual([
        expect.stringMatching(/Bill \[[0-9a-f-]{36}\] was not sent to the \[bare\] connection/),
      ]);
      await at.drain({ connection: 'bare' });
      const work = at.workers.work({ sleep: '20ms' });
      if (committed) await until(() => ran.length === 1, 'the job', PATIENCE_MS);
      else await sleep(500);
      expect(ran).toEqual(committed ? ['in the outbox'] : []);
      await at.workers.stop();
      await work;
    },
    60_000,
  );

  it('says what to run where the table is missing, at dispatch, and works once it is there', async () => {
    const work = at.workers.work({ connection: 'bare' });
    let told: unknown;
    await app.transaction(async (manager) => {
      await order(manager, 1);
      told = await at.bus
        .dispatch(new Bill('x'))
        .onConnection('elsewhere')
        .then(undefined, (error: unknown) => error);
      await order(manager, 2);
    });
    expect(String(told)).toMatch(
      /The table \[elsewhere_outbox\] in .* is missing\. Run: npx nestjs-queue queue:install/,
    );
    expect(await orders()).toEqual([1, 2]);
    await until(
      () => logged.some((line) => /outbox of the \[elsewhere\].*queue:install/.test(line)),
      'the relay’s word',
    );
    const { connections } = at.app.get<QueueRuntime>(QUEUE_RUNTIME);
    expect(await installSchema(connections, 'elsewhere')).toMatchObject({ applied: ['elsewhere_outbox'] });
    await app.transaction(async () => void (await at.bus.dispatch(new Bill('now')).onConnection('elsewhere')));
    await until(
      async () => (await at.manager.connection('elsewhere').size()).pending === 1,
      'the job in its queue',
      PATIENCE_MS,
    );
    await at.workers.stop();
    await work;
    const dropped = ['elsewhere_outbox', 'elsewhere_outbox_cancelled', 'elsewhere_outbox_locks'];
    for (const table of dropped) await app.query(`DROP TABLE ${table}`);
  }, 60_000);

  it('leaves out a unique job whose lock another one has', async () => {
    const skipped: unknown[] = [];
    at.manager.on(UniqueJobSkipped, ({ job }) => void skipped.push((job as Bill).order));
    const { connections } = at.app.get<QueueRuntime>(QUEUE_RUNTIME);
    await app.transaction(async (manager) => {
      await at.bus.dispatch(new Bill('plain'));
      const entry = { id: '0190b0e5-0000-7000-8000-000000000001', queue: 'default', body: '', delayMs: 0 };
      const body = JSON.stringify({
        v: 1,
        uuid: entry.id,
        name: 'Bill',
        displayName: 'Bill',
        data: { order: 'unique' },
        createdAt: 1,
      });
      const lock = { key: 'one', owner: entry.id, ttlMs: 60_000 };
      const outgoing = {
        job: new Bill('unique'),
        entry: { ...entry, body, lock },
        requestedQueue: null,
        delaySeconds: null,
      };
      await connections.get('redis').outbox!.write(manager, [outgoing]);
    });
    const { locks } = await connections.get('redis').backend();
    await locks!.acquire('one', 'somebody', 60_000);
    const work = at.workers.work({ sleep: '20ms' });
    await until(async () => (await waiting()) === 0, 'an empty outbox', PATIENCE_MS);
    await until(() => skipped.length > 0 && ran.length > 0, 'the word of it');
    expect([skipped, ran]).toEqual([['unique'], ['plain']]);
    await at.workers.stop();
    await work;
  }, 30_000);

  it('keeps a row that it cannot read, says so, and relays what is behind it', async () => {
    await app.transaction(async (manager) => {
      await at.bus.dispatch(new Bill('1'));
      await at.bus.dispatch(new Bill('2'));
      await at.bus.dispatch(new Bill('3'));
      const [{ id }] = await manager.query('SELECT id FROM queue_outbox ORDER BY seq LIMIT 1');
      await manager.query(`UPDATE queue_outbox SET body = 'nonsense' WHERE id = '${id}'`);
    });
    const work = at.workers.work({ sleep: '20ms' });
    await until(() => ran.length === 2, 'the others', PATIENCE_MS);
    expect(ran).toEqual(['2', '3']);
    // They are taken out behind their push, while they may run.
    await until(async () => (await waiting()) === 1, 'the row that cannot be read alone', PATIENCE_MS);
    expect(logged.filter((line) => /^The row .* cannot be read/.test(line))).toHaveLength(1);
    await at.workers.stop();
    await work;
  }, 30_000);
});

function open(
  source: SqlSource,
  { redisUrl, dataUrl, prefix }: { redisUrl: string; dataUrl: string; prefix: string },
  logged: string[],
): Promise<Opened> {
  const log = (...message: unknown[]): void => void logged.push(message.map(String).join(' '));
  const place = { driver: 'redis', url: redisUrl, prefix, retryAfter: '2s' };
  const connections = {
    redis: { ...place, outbox: { dataSource: 'orders' } },
    bare: { ...place, queue: 'bare' },
    slow: { ...place, queue: 'slow', retryAfter: '60s', outbox: { dataSource: 'orders' } },
    elsewhere: { ...place, queue: 'elsewhere', outbox: { dataSource: 'orders', table: 'elsewhere_outbox' } },
  };
  const options: Partial<QueueModuleOptions> = {
    default: 'redis',
    failed: { driver: 'memory' },
    dispatchTimeout: '2s',
    connections: connections as never,
  };
  return openApp('memory', {
    logger: { log() {}, error: log, warn: log },
    providers: [Bill],
    imports: [TypeOrmModule.forRoot(source.options('orders', dataUrl))],
    options,
  });
}
