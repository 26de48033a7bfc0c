import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DebounceFor, Job, Queueable } from 'nestjs-queue';
import { firstMark, lockKey } from '../../../lib/job/lock-key.js';
import { START_LIMIT_MS } from '../../support/shared-servers.js';
import { closeApps, openApp, sleep, until, type Opened } from '../open-app.js';
import { EVERYWHERE, locksOf, siteOf, type Site } from './places.js';

let ran: string[];
let during: (job: Index) => unknown;

/** Waits long enough for a burst, and no longer. */
@Job()
@DebounceFor('150ms')
class Index extends Queueable {
  tries = 2;
  constructor(
    public book: string,
    public edition: number,
  ) {
    super();
  }
  debounceId() {
    return this.book;
  }
  backoff() {
    return 0;
  }
  async handle() {
    ran.push(`${this.book} ${this.edition}`);
    await during(this);
  }
}
@Job()
@DebounceFor(60, { maxWait: '300ms' })
class Patient extends Index {}
@Job()
class Note extends Queueable {
  handle() {
    ran.push('note');
  }
}

describe.each(EVERYWHERE)('a debounced job on $name', (place) => {
  let site: Site;
  let at: Opened;

  const work = async (): Promise<void> => {
    await until(
      async () => {
        await at.drain();
        return (await at.manager.connection().size()).total === 0;
      },
      'all jobs to be done',
      20_000,
    );
  };

  beforeAll(async () => {
    site = await siteOf(place);
  }, START_LIMIT_MS);
  afterAll(() => site.drop());
  beforeEach(async () => {
    ran = [];
    during = () => {};
    at = await openApp('memory', { dir: site.dir, options: site.options, providers: [Index, Patient, Note] });
  });
  afterEach(async () => {
    await at.manager.connection().clear();
    await closeApps();
  });

  it('runs the last of a burst, gives each its receipt, and tells of the others', async () => {
    const receipts = [];
    for (const edition of [1, 2, 3]) receipts.push(await at.bus.dispatch(new Index('a', edition)));
    await at.bus.dispatch(new Index('b', 1));
    expect(receipts.every((one) => one !== null)).toBe(true);
    expect((await at.manager.connection().size()).total).toBe(4);
    await at.drain();
    expect(ran).toEqual([]);
    await work();
    expect(ran.sort()).toEqual(['a 3', 'b 1']);
    const events = at.names();
    expect(events.filter((name) => name === 'JobDebounced')).toHaveLength(2);
    const first = events.indexOf('JobDebounced');
    expect(events.slice(first - 1, first + 3)).toEqual([
      'JobProcessing',
      'JobDebounced',
      'JobProcessed',
      'JobAttempted',
    ]);
  });

  it('counts the last of a bulk, and what is behind a superseded job goes with it', async () => {
    const chained = new Index('a', 1).chain([new Note()]);
    await at.bus.dispatch(chained);
    await at.bus.bulk([new Index('a', 2), new Index('a', 3), new Index('b', 1)]);
    await work();
    expect(ran.sort()).toEqual(['a 3', 'b 1']);
  });

  it('runs one of those that are dispatched at once: the last', async () => {
    // Opens the store, so that what follows goes out side by side.
    await at.bus.dispatch(new Index('z', 1));
    const books = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    await Promise.all(
      books.flatMap((book) => [1, 2, 3].map((edition) => at.bus.dispatch(new Index(book, edition)).delay(1))),
    );
    await sleep(1_000);
    await work();
    expect(ran.sort()).toEqual([...books.map((book) => `${book} 3`), 'z 1']);
  });

  it('waits no longer than it may, and then begins anew', async () => {
    const key = firstMark(lockKey('debounce', 'Patient', 'a'));
    const locks = await locksOf(at);
    await at.bus.dispatch(new Patient('a', 1));
    expect(await locks.owner(key)).toBeDefined();
    await at.bus.dispatch(new Patient('a', 2));
    expect((await at.manager.connection().size()).pending).toBe(0);
    await sleep(320);
    await at.bus.dispatch(new Patient('a', 3));
    expect(await locks.owner(key)).toBeUndefined();
    await at.drain();
    expect(ran).toEqual(['a 3']);
    await at.bus.dispatch(new Patient('a', 4));
    expect(await locks.owner(key)).toBeDefined();
    expect((await at.manager.connection().size()).delayed).toBe(3);
  });

  it('forgets a burst with its last job', async () => {
    const key = firstMark(lockKey('debounce', 'Patient', 'a'));
    await at.bus.dispatch(new Patient('a', 1)).withoutDelay();
    expect(await (await locksOf(at)).owner(key)).toBeDefined();
    await at.drain();
    expect(await (await locksOf(at)).owner(key)).toBeUndefined();
    await sleep(320);
    await at.bus.dispatch(new Patient('a', 2));
    expect((await at.manager.connection().size()).delayed).toBe(1);
  });

  it('keeps a delay of its own', async () => {
    await at.bus.dispatch(new Index('a', 1)).delay(60);
    await at.bus.dispatch(new Index('b', 1)).withoutDelay();
    await sleep(200);
    await at.drain();
    expect(ran).toEqual(['b 1']);
  });

  it('runs in doubt: without a token, or with one of a dispatch before it', async () => {
    const locks = await locksOf(at);
    const key = lockKey('debounce', 'Index', 'a');
    const before = await at.bus.dispatch(new Index('a', 1)).delay(60);
    await at.bus.dispatch(new Index('a', 2)).withoutDelay();
    // As a producer leaves it that is killed between the push and the token.
    await locks.replace(key, before!.id, 60_000);
    await at.drain();
    expect(ran).toEqual(['a 2']);
    await at.bus.dispatch(new Index('a', 3)).withoutDelay();
    await locks.forceRelease(key);
    await at.drain();
    expect(ran).toEqual(['a 2', 'a 3']);
  });

  it('always runs the last one, whatever happens before', async () => {
    // A dispatch comes while an older job waits, runs, fails or has just ended.
    const last = new Map<string, number>();
    during = async (job) => {
      await sleep(Math.random() * 30);
      if (Math.random() < 0.3 && job.attempts() === 1) throw new Error('again');
    };
    let over = false;
    const working = (async () => {
      while (!over) await at.drain({ concurrency: 4 });
    })();
    for (let n = 1; n <= 60; n += 1) {
      const book = `book ${n % 3}`;
      last.set(book, n);
      const sending = at.bus.dispatch(new Index(book, n));
      await (Math.random() < 0.3 ? sending.withoutDelay() : sending);
      await sleep(Math.random() * 25);
    }
    await until(async () => (await at.manager.connection().size()).total === 0, 'the queue to be empty', 20_000);
    over = true;
    await working;
    for (const [book, n] of last) expect(ran).toContain(`${book} ${n}`);
    expect(ran.length).toBeLessThan(60 * 2);
  }, 40_000);
});
