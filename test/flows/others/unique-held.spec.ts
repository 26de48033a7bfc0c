import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Job, Queueable, Unique } from 'nestjs-queue';
import { DataSource } from 'typeorm';
import { lockKey } from '../../../lib/job/lock-key.js';
import { findServer } from '../../support/servers.mjs';
import { describeServer, freshDatabase, START_LIMIT_MS, type FreshDatabase } from '../../support/shared-servers.js';
import { closeApps, openApp, type Opened } from '../open-app.js';
import { locksOf } from './places.js';

@Job()
@Unique()
class Report extends Queueable {
  constructor(
    public account: string,
    public note = '',
  ) {
    super();
  }
  uniqueId() {
    return this.account;
  }
  handle() {}
}
@Job()
class Plain extends Queueable {
  handle() {}
}

/** What nobody should have to wait longer for. */
const SOON_MS = 1_000;

const timed = async <T>(work: PromiseLike<T>): Promise<{ answer: T; ms: number }> => {
  const began = performance.now();
  const answer = await work;
  return { answer, ms: performance.now() - began };
};

// MySQL's own way of waiting is another one than MariaDB's, which would stand in for it.
const KINDS = ['postgres', 'mariadb', ...(findServer('mysql') ? (['mysql'] as const) : [])] as const;

for (const kind of KINDS) {
  describeServer(kind, `a lock in a long transaction on ${kind}`, () => {
    let database: FreshDatabase;
    let holder: Opened;
    let other: Opened;
    const open = (): Promise<Opened> =>
      openApp('memory', {
        options: {
          default: 'jobs',
          connections: { jobs: { driver: 'database', dataSource: 'default', migrate: true } } as never,
        },
        providers: [Report, Plain],
        imports: [TypeOrmModule.forRoot({ type: kind, url: database.url } as never)],
      });

    /** The account's job is stored in a transaction of the holder's, which lasts until it is told how to end. */
    const held = async (account: string): Promise<(end: 'commit' | 'roll back') => Promise<void>> => {
      const runner = holder.app.get(DataSource).createQueryRunner();
      await runner.startTransaction('REPEATABLE READ');
      expect(await holder.bus.dispatch(new Report(account, 'held')).within(runner.manager)).not.toBeNull();
      return async (end) => {
        await (end === 'commit' ? runner.commitTransaction() : runner.rollbackTransaction());
        await runner.release();
      };
    };
    const queued = async (): Promise<number> => (await other.manager.connection('jobs').pendingJobs()).length;

    beforeAll(async () => void (database = await freshDatabase(kind)), START_LIMIT_MS);
    afterAll(() => database.drop());
    beforeEach(async () => {
      holder = await open();
      other = await open();
      await holder.bus.dispatch(new Plain());
      await other.bus.dispatch(new Plain());
      await other.manager.connection('jobs').clear();
      await (await locksOf(other)).forceRelease(lockKey('unique', 'Report', 'a'));
    });
    afterEach(closeApps);

    it('turns others away at once, and keeps nothing else waiting', async () => {
      const end = await held('a');
      const [unique, plain, free] = await Promise.all([
        timed(other.bus.dispatch(new Report('a'))),
        timed(other.bus.dispatch(new Plain())),
        timed(other.bus.dispatch(new Report('b'))),
      ]);
      expect([unique.answer, plain.answer, free.answer]).toEqual([null, expect.anything(), expect.anything()]);
      expect(other.names()).toContain('UniqueJobSkipped');
      for (const { ms } of [unique, plain, free]) expect(ms).toBeLessThan(SOON_MS);

      await end('commit');
      expect(await other.bus.dispatch(new Report('a'))).toBeNull();
      expect(await queued()).toBe(3);
      await (await locksOf(other)).forceRelease(lockKey('unique', 'Report', 'b'));
    });

    it('is taken by the next one after a rollback', async () => {
      const end = await held('a');
      expect(await other.bus.dispatch(new Report('a'))).toBeNull();
      await end('roll back');
      expect(await other.bus.dispatch(new Report('a'))).not.toBeNull();
      expect(await queued()).toBe(1);
    });

    it('stores what stands beside it in a bulk', async () => {
      const end = await held('a');
      const { answer, ms } = await timed(other.bus.bulk([new Plain(), new Report('a'), new Plain()]));
      expect(answer).toEqual([expect.anything(), null, expect.anything()]);
      expect(ms).toBeLessThan(SOON_MS);
      await end('roll back');
      expect(await queued()).toBe(2);
    });

    it('costs the many that ask for it together no more than one', async () => {
      const end = await held('a');
      const many = Array.from({ length: 20 }, () => other.bus.dispatch(new Report('a')));
      const plain = timed(other.bus.dispatch(new Plain()));
      expect((await Promise.all(many)).every((one) => one === null)).toBe(true);
      expect((await plain).ms).toBeLessThan(SOON_MS);
      await end('roll back');
    });

    it('waits for a transaction that is about to end', async () => {
      const end = await held('a');
      const unique = Promise.resolve(other.bus.dispatch(new Report('a', 'next')));
      setTimeout(() => void end('roll back'), 60);
      expect(await unique).not.toBeNull();
    });

    it('is nothing a plain acquire waits for', async () => {
      const end = await held('a');
      const { answer, ms } = await timed((await locksOf(other)).acquire(lockKey('unique', 'Report', 'a'), 'me', 1_000));
      expect(answer).toBe(false);
      expect(ms).toBeLessThan(SOON_MS);
      await end('roll back');
      expect(await (await locksOf(other)).acquire(lockKey('unique', 'Report', 'a'), 'me', 1_000)).toBe(true);
    });

    it('is told apart from a key beside it', async () => {
      const ends = [await held('m'), await held('k')];
      for (const account of ['l', 'j', 'n']) {
        expect(await other.bus.dispatch(new Report(account))).not.toBeNull();
      }
      for (const end of ends) await end('roll back');
    });

    if (kind !== 'mysql') {
      it('turns away who asks within a transaction too, and leaves that one whole', async () => {
        const end = await held('a');
        await other.app.get(DataSource).transaction(async (manager) => {
          const limit = kind === 'postgres' ? 'SHOW lock_timeout' : 'SELECT @@innodb_lock_wait_timeout';
          const before: unknown = await manager.query(limit);
          const asked = await timed(other.bus.dispatch(new Report('a')).within(manager));
          expect(asked.answer).toBeNull();
          expect(asked.ms).toBeLessThan(SOON_MS);
          expect(await other.bus.dispatch(new Report('z')).within(manager)).not.toBeNull();
          expect(await manager.query(limit)).toEqual(before);
        });
        await end('roll back');
        expect(await queued()).toBe(1);
      });
    }
  });
}
