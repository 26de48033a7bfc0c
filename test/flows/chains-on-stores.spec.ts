import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  call,
  Callable,
  DebounceFor,
  Encrypted,
  Job,
  JobProcessing,
  Queueable,
  Tries,
  Unique,
  UniqueJobSkipped,
  type JobContext,
} from 'nestjs-queue';
import { START_LIMIT_MS, describeRedis, freshRedis, type FreshRedis } from '../support/shared-redis.js';
import { onStores } from './on-stores.js';
import { closeApps, openApp, type Opened } from './open-app.js';

const KEY = 'a key of more than thirty-two characters';

let ran: string[] = [];

abstract class Noting extends Queueable {
  constructor(readonly label: string) {
    super();
  }
  handle(): void {
    ran.push(`${this.label} on ${this.context!.connection}`);
  }
}
@Job()
class Step extends Noting {}
@Job()
@Encrypted()
class Secret extends Noting {}
@Job()
@Unique()
class Only extends Noting {}
@Job()
@DebounceFor('50ms')
class Last extends Noting {}
@Job()
class Breaks extends Noting {
  override handle(): void {
    super.handle();
    throw Object.assign(new RangeError(`${this.label} is broken`), { code: 'E_RANGE' });
  }
}
@Job()
@Encrypted()
class Says extends Noting {
  override handle(): void {
    const { name, message, code } = this.context!.error as Error & { code: string };
    ran.push(`${this.label}: ${name} ${code} ${message}`);
  }
}
@Job()
@Tries(2)
class Grows extends Noting {
  override handle(): void {
    super.handle();
    this.prependToChain([new Secret('p1'), call(Alerts, 'raise', 'p2')]).appendToChain(new Step('z'));
    if (this.attempts() === 1) throw new Error('once more');
  }
}
@Injectable()
class Alerts {
  @Callable() raise(what: string): void {
    ran.push(`raised ${what}`);
  }
}

const providers = [Step, Secret, Only, Last, Breaks, Says, Grows, Alerts];

beforeEach(() => {
  ran = [];
});
afterEach(closeApps);

onStores('a chain', (connection) => {
  const open = (more: object = {}, options: object = {}): Promise<Opened> =>
    openApp('database', {
      providers,
      options: { default: 'store', key: KEY, connections: { store: connection() as never, ...more }, ...options },
    });

  it('goes from step to step, grows, and calls back when one has failed for good', async () => {
    const at = await open();
    const { id } = (await at.bus
      .chain([new Step('a'), new Step('b'), new Breaks('c'), new Step('never')])
      .catch(new Step('one more'))
      .catch(call(Alerts, 'raise', 'alarm'))
      .dispatch())!;
    await at.drain();
    expect(ran.slice(0, 3)).toEqual(['a on store', 'b on store', 'c on store']);
    expect(ran.slice(3).toSorted()).toEqual(['one more on store', 'raised alarm']);
    ran = [];
    await at.bus.dispatch(new Step('x')).chain([new Step('y')]);
    await at.drain();
    expect(ran).toEqual(['x on store', 'y on store']);
    expect((await at.manager.connection().size()).total).toBe(0);
    const [failed] = await at.failed.all();
    expect(failed!.id).not.toBe(id);
    await at.failed.flush();
  });

  it('carries encrypted and signed jobs and calls, also those that were added while it ran, and on a retry', async () => {
    const at = await open({}, { signing: 'require' });
    await at.bus
      .chain([new Secret('a'), new Grows('g'), call(Alerts, 'raise', 'mid'), new Breaks('b'), new Secret('never')])
      .catch(new Says('caught'))
      .dispatch();
    await at.drain();
    const through = ['a', 'g', 'g', 'p1'].map((one) => `${one} on store`);
    expect(ran).toEqual([
      ...through,
      'raised p2',
      'raised mid',
      'b on store',
      'caught: RangeError E_RANGE b is broken',
    ]);
    const [failed] = await at.failed.all();
    ran = [];
    await at.failed.retry(failed!.id);
    await at.drain();
    expect(ran).toEqual(['b on store', 'caught: RangeError E_RANGE b is broken']);
    await at.failed.flush();
  });

  it('fails at a unique step whose lock is held, and hands the lock on where it is its own', async () => {
    const at = await open();
    await at.bus.chain([new Only('one'), new Only('two'), new Step('z')]).dispatch();
    await at.drain();
    expect(ran).toEqual(['one on store', 'two on store', 'z on store']);
    ran = [];
    await at.bus.dispatch(new Only('waits')).onQueue('elsewhere');
    await at.bus
      .chain([new Step('a'), new Only('b'), new Step('never')])
      .catch(call(Alerts, 'raise', 'alarm'))
      .dispatch();
    await at.drain();
    expect(ran).toEqual(['a on store', 'raised alarm']);
    await at.manager.connection().clear('elsewhere');
    expect(await at.failed.count()).toBe(0);
    await at.bus.chain([new Step('a'), new Only('b')]).dispatch();
    await at.drain();
    expect(ran.slice(2)).toEqual(['a on store', 'b on store']);
  });

  it('has a debounced step run when no newer one has taken its place', async () => {
    const at = await open();
    await at.bus.chain([new Step('a'), new Last('l'), new Step('z')]).dispatch();
    // Newer than the step by its id, and done before it.
    await at.bus.dispatch(new Last('early')).withoutDelay();
    await at.drain({ stopWhenEmpty: false, maxJobs: 4 });
    expect(ran.toSorted()).toEqual(['a on store', 'early on store', 'l on store', 'z on store']);
  });

  it('keeps the ids that its steps were written with', async () => {
    const at = await open();
    const ids: string[] = [];
    at.manager.on(JobProcessing, ({ job }: { job: JobContext }) => void ids.push(job.id));
    const { id } = (await at.bus.chain([new Step('a'), new Step('b'), new Step('c')]).dispatch())!;
    const [pending] = await at.manager.connection().pendingJobs();
    const { chain } = pending!.payload as { chain: { rest: readonly { uuid: string }[] } };
    await at.drain();
    expect(ids).toEqual([id, ...chain.rest.map(({ uuid }) => uuid)]);
  });

  it('hundred steps, and hundred chains at once', async () => {
    const at = await open();
    await at.bus.chain(Array.from({ length: 100 }, (_, n) => new Step(`${n}`))).dispatch();
    await at.drain();
    expect(ran).toEqual(Array.from({ length: 100 }, (_, n) => `${n} on store`));
    ran = [];
    await at.bus.bulk(
      Array.from({ length: 100 }, (_, n) => new Step(`${n}a`).chain([new Step(`${n}b`), new Step(`${n}c`)])),
    );
    // Not until it is empty: with so many slots it may be, while a job in hand is about to enqueue the next one.
    await at.drain({ concurrency: 20, stopWhenEmpty: false, maxJobs: 300 });
    expect(ran).toHaveLength(300);
    for (let n = 0; n < 100; n += 1) {
      const own = ['a', 'b', 'c'].map((letter) => ran.indexOf(`${n}${letter} on store`));
      expect(own).toEqual(own.toSorted((one, other) => one - other));
    }
  }, 60_000);

  describeRedis('from here to Redis and back', () => {
    let redis: FreshRedis;
    beforeEach(async () => void (redis = await freshRedis()), START_LIMIT_MS);
    afterEach(async () => {
      await closeApps();
      await redis.drop();
    });

    it('is pushed to where each step belongs', async () => {
      const withKey = await open({ far: { driver: 'redis', url: redis.url, prefix: redis.prefix } }, { key: KEY });
      await withKey.bus
        .chain([new Step('a'), new Secret('b').onConnection('far'), new Only('c').onConnection('far'), new Breaks('d')])
        .catch(new Step('e').onConnection('far'))
        .dispatch();
      for (const name of ['store', 'far', 'store', 'far']) await withKey.drain({ connection: name });
      expect(ran).toEqual(['a on store', 'b on far', 'c on far', 'd on store', 'e on far']);
      for (const name of ['store', 'far']) {
        expect((await withKey.manager.connection(name).size()).total).toBe(0);
      }
      await withKey.failed.flush();
    });
  });
});

describe('a unique step in a chain', () => {
  it('tells of its being skipped once the store has accepted the end of the job before it', async () => {
    const at = await openApp('memory', { providers, options: { key: KEY } });
    await at.bus.dispatch(new Only('waits')).onQueue('elsewhere');
    await at.bus
      .chain([new Step('a'), new Only('b')])
      .catch(new Step('c'))
      .dispatch();
    await at.drain({ maxJobs: 1 });
    const names = at.names().filter((name) => name === 'JobProcessed' || name === UniqueJobSkipped.name);
    expect(names).toEqual(['UniqueJobSkipped', 'JobProcessed']);
  });
});
