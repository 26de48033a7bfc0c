import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  DebounceFor,
  InvalidOptionError,
  Job,
  JobProcessed,
  Queueable,
  QueueBus,
  QueueManager,
  Unique,
  UniqueFor,
  UniqueUntilProcessing,
  UnknownConnectionError,
} from 'nestjs-queue';
import { lockKey } from '../../../lib/job/lock-key.js';
import { MemoryLockStore } from '../../../lib/backends/memory/memory-lock-store.js';
import { closeApps, openApp, type Opened } from '../open-app.js';
import { locksOf } from './places.js';

let at: Opened;
let seen: (string | undefined)[];
let during: (job: object) => unknown;

const ownerOf = async (name: string): Promise<string | undefined> =>
  (await locksOf(at)).owner(lockKey('unique', name, undefined));

abstract class Look extends Queueable {
  async handle() {
    seen.push(await ownerOf(this.constructor.name));
    await during(this);
  }
}
@Job()
@Unique()
class UntilEnd extends Look {}
@Job()
@UniqueUntilProcessing()
class UntilStart extends Look {}
@Job()
@UniqueFor(60)
class Elsewhere extends Look {
  uniqueVia() {
    return 'b';
  }
}
@Job()
@Unique()
class Astray extends Look {
  uniqueVia = 'nowhere';
}

async function open(options: object = {}): Promise<void> {
  seen = [];
  during = () => {};
  at = await openApp('memory', {
    providers: [UntilEnd, UntilStart, Elsewhere, Astray],
    options: { ...options, connections: { b: { driver: 'memory' } } },
  });
}
afterEach(closeApps);

describe('a unique job that this process runs', () => {
  beforeEach(() => open());

  it('has its lock while it runs on a sync connection, and nobody has it when its events are raised', async () => {
    const behind: unknown[] = [];
    at.manager.on(JobProcessed, async () => void behind.push(await ownerOf('UntilEnd')));
    during = async () => expect(await at.bus.dispatch(new UntilEnd()).onConnection('sync')).toBeNull();
    const receipt = await at.bus.dispatch(new UntilEnd()).onConnection('sync');
    expect(seen).toEqual([`sending:${receipt!.id}`]);
    expect(behind).toEqual([undefined]);
    during = () => {
      throw new Error('on purpose');
    };
    await expect(at.bus.dispatch(new UntilEnd()).onConnection('sync')).rejects.toThrow('on purpose');
    expect(await ownerOf('UntilEnd')).toBeUndefined();
  });

  it('gives it back when it starts, where it is unique until then', async () => {
    await at.bus.dispatch(new UntilStart()).onConnection('sync');
    await at.bus.dispatch(new UntilStart()).onConnection('deferred');
    expect(seen).toEqual([undefined, undefined]);
  });

  it('has it while it waits and runs on a deferred connection', async () => {
    let go!: () => void;
    during = () => new Promise<void>((resolve) => (go = resolve));
    const receipt = await at.bus.dispatch(new UntilEnd()).onConnection('deferred');
    expect(await at.bus.dispatch(new UntilEnd()).onConnection('deferred')).toBeNull();
    expect(await ownerOf('UntilEnd')).toBe(`sending:${receipt!.id}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    go();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await ownerOf('UntilEnd')).toBeUndefined();
  });

  it('leaves none where jobs are forgotten', async () => {
    expect(await at.bus.dispatch(new UntilEnd()).onConnection('null')).not.toBeNull();
    expect(await at.bus.dispatch(new UntilEnd()).onConnection('null')).not.toBeNull();
    expect(await ownerOf('UntilEnd')).toBeUndefined();
  });

  it('is not kept from dispatchSync, which leaves the lock alone', async () => {
    const waiting = await at.bus.dispatch(new UntilEnd());
    await at.bus.dispatchSync(new UntilEnd());
    expect(seen).toEqual([waiting!.id]);
    expect(await ownerOf('UntilEnd')).toBe(waiting!.id);
  });
});

describe('uniqueVia()', () => {
  beforeEach(() => open());

  it('names the connection whose store has the lock', async () => {
    const runtime = at.app.get(QueueManager).connection('b');
    const { locks } = await runtime.backend();
    expect(locks).toBeInstanceOf(MemoryLockStore);
    const receipt = await at.bus.dispatch(new Elsewhere());
    const key = lockKey('unique', 'Elsewhere', undefined);
    expect(await locks!.owner(key)).toBe(`stored:memory:${receipt!.id}`);
    expect(await ownerOf('Elsewhere')).toBeUndefined();
    // On that very connection it is taken with the push; the other job's is respected.
    expect(await at.bus.dispatch(new Elsewhere()).onConnection('b')).toBeNull();
    await at.drain();
    expect(await locks!.owner(key)).toBeUndefined();
    const near = await at.bus.dispatch(new Elsewhere()).onConnection('b');
    expect(await locks!.owner(key)).toBe(near!.id);
  });

  it('frees a dead job’s lock there for a push that takes it with the job', async () => {
    await at.bus.dispatch(new Elsewhere());
    await at.manager.connection('memory').clear();
    expect(await at.bus.dispatch(new Elsewhere()).onConnection('b')).not.toBeNull();
  });

  it('is refused for a connection that there is not', async () => {
    await expect(at.bus.dispatch(new Astray())).rejects.toThrow(UnknownConnectionError);
    expect((await at.manager.connection().size()).total).toBe(0);
  });
});

describe('what cannot be meant', () => {
  it('ends the boot: unique and debounced at once', async () => {
    @Job()
    @Unique()
    @DebounceFor(5)
    class Both extends Look {}
    await expect(openApp('memory', { providers: [Both] })).rejects.toThrow(InvalidOptionError);
    await expect(openApp('memory', { providers: [Both] })).rejects.toThrow('is both unique and debounced');
  });

  it('is pointed out: a uniqueId without @Unique()', async () => {
    @Job()
    class Forgotten extends Look {
      uniqueId() {
        return 1;
      }
    }
    const logged: string[] = [];
    const warn = (message: string): void => void logged.push(message);
    await openApp('memory', { providers: [Forgotten], logger: { log() {}, error() {}, warn } });
    expect(logged).toEqual(['Forgotten has a uniqueId(), but no @Unique() or @UniqueFor(): it is not unique.']);
  });

  it('rejects a dispatch without an id, before anything is stored', async () => {
    @Job()
    @Unique()
    class NoId extends Look {
      uniqueId?: string;
    }
    await open();
    await expect(at.app.get(QueueBus).dispatch(Object.assign(new NoId(), { uniqueId: undefined }))).rejects.toThrow(
      'would stand for every job of the class',
    );
    expect((await at.manager.connection().size()).total).toBe(0);
  });
});
