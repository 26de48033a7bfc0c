import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { TypeOrmModule } from '@nestjs/typeorm';
import libsql from 'libsql';
import { DebounceFor, Job, Queueable, Unique, type QueueModuleOptions } from 'nestjs-queue';
import { DataSource, type EntityManager } from 'typeorm';
import { lockKey } from '../../../lib/job/lock-key.js';
import { findServer } from '../../support/servers.mjs';
import { freshRedis } from '../../support/shared-redis.js';
import { freshDatabase, START_LIMIT_MS } from '../../support/shared-servers.js';
import { closeApps, openApp, type Opened } from '../open-app.js';
import { locksOf } from './places.js';

const ran: string[] = [];

@Job()
@Unique()
class Sum extends Queueable {
  constructor(
    public account: string,
    public note = '',
  ) {
    super();
  }
  uniqueId() {
    return this.account;
  }
  handle() {
    ran.push(`${this.account} ${this.note}`.trim());
  }
}
@Job()
@DebounceFor(0)
class Settle extends Queueable {
  constructor(public note: string) {
    super();
  }
  handle() {
    ran.push(this.note);
  }
}

let dir: string;
let at: Opened;
let app: DataSource;

const rollBack = (): never => {
  throw new Error('rolled back');
};
const lost = (work: (manager: EntityManager) => Promise<unknown>): Promise<unknown> =>
  expect(
    app.transaction(async (manager) => {
      await work(manager);
      rollBack();
    }),
  ).rejects.toThrow('rolled back');
const owner = async (account: string): Promise<string | undefined> =>
  (await locksOf(at)).owner(lockKey('unique', 'Sum', account));
const queued = async (): Promise<string[]> => {
  const jobs = await at.manager.connection('jobs').pendingJobs();
  return jobs.map(({ payload }) => (payload as { data: { account: string; note: string } }).data.note);
};

interface Base {
  readonly name: string;
  open(): Promise<{ source: object; drop: () => Promise<void> }>;
}
const BASES: readonly Base[] = [
  {
    name: 'SQLite',
    open: async () => ({
      source: { type: 'better-sqlite3', driver: libsql, database: join(dir, 'app.sqlite'), enableWAL: true },
      drop: async () => {},
    }),
  },
  ...(['postgres', 'mariadb'] as const)
    .filter((kind) => process.env['REQUIRE_ALL'] === '1' || findServer(kind))
    .map((kind): Base => ({
      name: kind,
      open: async () => {
        const database = await freshDatabase(kind);
        return { source: { type: kind, url: database.url }, drop: () => database.drop() };
      },
    })),
];

/** The job's store, its locks' store; the transactions are on the application's database. */
interface Layout {
  readonly layout: string;
  readonly queue: 'app' | 'memory' | 'redis';
  readonly locks: 'app' | 'memory' | 'redis';
}
const LAYOUTS: readonly Layout[] = [
  { layout: 'queue and locks in the application’s database', queue: 'app', locks: 'app' },
  { layout: 'the queue in the application’s database, locks elsewhere', queue: 'app', locks: 'redis' },
  { layout: 'the queue elsewhere, locks in the application’s database', queue: 'redis', locks: 'app' },
  { layout: 'queue and locks elsewhere', queue: 'memory', locks: 'memory' },
];

for (const base of BASES) {
  describe.each(LAYOUTS)(`a transaction on ${base.name}, $layout`, ({ queue, locks }) => {
    let made: { source: object; drop: () => Promise<void> };
    let redis: Awaited<ReturnType<typeof freshRedis>> | undefined;
    const place = (store: Layout['queue']): object => {
      if (store === 'app') return { driver: 'database', dataSource: 'default', migrate: true };
      return store === 'redis' ? { driver: 'redis', url: redis!.url, prefix: redis!.prefix } : { driver: 'memory' };
    };

    beforeAll(async () => {
      dir = mkdtempSync(join(tmpdir(), 'queue-unique-'));
      if (queue === 'redis' || locks === 'redis') redis = await freshRedis();
      made = await base.open();
    }, START_LIMIT_MS);
    afterAll(async () => {
      await redis?.drop();
      await made.drop();
      rmSync(dir, { recursive: true, force: true });
    });
    beforeEach(async () => {
      ran.length = 0;
      const options: Partial<QueueModuleOptions> = {
        default: 'jobs',
        connections: { jobs: place(queue), ...(queue !== locks && { locks: place(locks) }) } as never,
        ...(queue !== locks && { locks: { connection: 'locks' } }),
      };
      at = await openApp('memory', {
        dir,
        options,
        providers: [Sum, Settle],
        imports: [TypeOrmModule.forRoot(made.source)],
      });
      app = at.app.get(DataSource);
      await at.manager.connection('jobs').clear();
      // The tables are made by what comes first, which is not to be a transaction that is rolled back.
      await at.bus.dispatch(new Sum('first'));
      await at.drain();
      ran.length = 0;
    });
    afterEach(closeApps);

    it('has the lock from its dispatch on, and keeps it with the commit', async () => {
      await app.transaction(async () => {
        expect(await at.bus.dispatch(new Sum('a', 'one')).afterCommit()).not.toBeNull();
        expect(await at.bus.dispatch(new Sum('a', 'two')).afterCommit()).toBeNull();
        expect(await at.bus.bulk([new Sum('a', 'three').afterCommit(), new Sum('b').afterCommit()])).toEqual([
          null,
          expect.anything(),
        ]);
      });
      expect(await owner('a')).toBeDefined();
      expect(await at.bus.dispatch(new Sum('a'))).toBeNull();
      await at.drain();
      expect(ran).toEqual(['a one', 'b']);
      expect(await owner('a')).toBeUndefined();
    });

    it('gives two at once to one of them', async () => {
      await app.transaction(async () => {
        const both = await Promise.all([1, 2, 3].map(() => at.bus.dispatch(new Sum('a')).afterCommit()));
        expect(both.filter((one) => one !== null)).toHaveLength(1);
      });
      await at.drain();
      expect(ran).toEqual(['a']);
    });

    it('leaves no lock behind when it is rolled back', async () => {
      await lost(async () => {
        expect(await at.bus.dispatch(new Sum('a')).afterCommit()).not.toBeNull();
        void at.bus.dispatch(new Sum('b')).afterCommit();
      });
      expect([await owner('a'), await owner('b')]).toEqual([undefined, undefined]);
      expect(await at.bus.dispatch(new Sum('a', 'next'))).not.toBeNull();
      expect(await queued()).toEqual(['next']);
    });

    it('leaves none of a savepoint behind that is rolled back, and keeps the others', async () => {
      await app.transaction(async (manager) => {
        await at.bus.dispatch(new Sum('outer')).afterCommit();
        const inner = manager.transaction(async () => {
          expect(await at.bus.dispatch(new Sum('inner')).afterCommit()).not.toBeNull();
          expect(await at.bus.dispatch(new Sum('outer')).afterCommit()).toBeNull();
          rollBack();
        });
        await expect(inner).rejects.toThrow('rolled back');
        expect(await at.bus.dispatch(new Sum('inner', 'again')).afterCommit()).not.toBeNull();
      });
      await at.drain();
      expect(ran.sort()).toEqual(['inner again', 'outer']);
      expect([await owner('inner'), await owner('outer')]).toEqual([undefined, undefined]);
    });

    it('does not take what somebody else has', async () => {
      await at.bus.dispatch(new Sum('a', 'before'));
      await app.transaction(async () => {
        expect(await at.bus.dispatch(new Sum('a', 'inside')).afterCommit()).toBeNull();
      });
      expect(await queued()).toEqual(['before']);
      expect(at.names()).toContain('UniqueJobSkipped');
    });

    it('makes the last of a debounce the one that runs, also one that is rolled back no more', async () => {
      await app.transaction(async () => {
        await at.bus.dispatch(new Settle('one')).afterCommit();
        await at.bus.dispatch(new Settle('two')).afterCommit();
      });
      await lost(async () => void (await at.bus.dispatch(new Settle('lost')).afterCommit()));
      await at.drain();
      expect(ran).toEqual(['two']);
    });

    if (queue === 'app') {
      it('takes the lock within the caller’s transaction', async () => {
        const inside = (manager: EntityManager, note = ''): PromiseLike<unknown> =>
          at.bus.dispatch(new Sum('a', note)).within(manager);
        await lost(async (manager) => {
          expect(await inside(manager)).not.toBeNull();
          expect(await inside(manager)).toBeNull();
          expect(await at.bus.dispatch(new Sum('a')).afterCommit()).toBeNull();
        });
        expect(await owner('a')).toBeUndefined();
        await app.transaction(async (manager) => {
          const savepoint = manager.transaction(async (nested) => {
            expect(await inside(nested)).not.toBeNull();
            rollBack();
          });
          await expect(savepoint).rejects.toThrow('rolled back');
          expect(await inside(manager, 'kept')).not.toBeNull();
        });
        expect(await at.bus.dispatch(new Sum('a'))).toBeNull();
        await at.drain();
        expect(ran).toEqual(['a kept']);
        expect(await owner('a')).toBeUndefined();
      });

      it('debounces within the caller’s transaction once that has committed', async () => {
        await at.bus.dispatch(new Settle('before'));
        await lost((manager) => at.bus.dispatch(new Settle('lost')).within(manager) as unknown as Promise<unknown>);
        await app.transaction(async (manager) => void (await at.bus.dispatch(new Settle('kept')).within(manager)));
        await at.drain();
        expect(ran).toEqual(['kept']);
      });
    }

    const outOfReach = base.name === 'SQLite' && locks === 'app' && queue !== 'app';
    const plain = (): Promise<unknown> =>
      app.transaction(async () => {
        const receipt = await at.bus.dispatch(new Sum('a', 'one'));
        expect(await at.bus.dispatch(new Sum('a', 'two'))).toBeNull();
        return receipt;
      });

    if (outOfReach) {
      it('is no place for a plain dispatch whose lock it keeps from everybody', async () => {
        await expect(plain()).rejects.toThrow('the lock cannot be taken now');
        expect(await at.bus.dispatch(new Sum('a'))).not.toBeNull();
      });
      return;
    }

    it('is not waited for by a plain dispatch, or joined where there is one writer', async () => {
      expect(await plain()).not.toBeNull();
      expect(await at.bus.dispatch(new Sum('a', 'three'))).toBeNull();
      await at.drain();
      expect(ran).toEqual(['a one']);
      expect(await owner('a')).toBeUndefined();
    });
  });
}
