import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  Job,
  JobFailed,
  JobProcessed,
  JobProcessing,
  JobQueued,
  JobQueueing,
  Middleware,
  Queueable,
  Skip,
  Tries,
  type JobContext,
} from 'nestjs-queue';
import { closeApps, openApp, sleep, STORES, type Opened, type StoreName } from './open-app.js';

let ran: string[] = [];
let places: string[] = [];

abstract class Noting extends Queueable {
  constructor(readonly label: string) {
    super();
  }
  protected note(what = this.label): void {
    ran.push(what);
    places.push(`${what}: ${this.context!.connection}/${this.context!.queue}`);
  }
}

@Job()
class Step extends Noting {
  handle() {
    this.note();
  }
}

@Job({ queue: 'own' })
class Elsewhere extends Noting {
  handle() {
    this.note();
  }
}

@Job()
class Breaks extends Noting {
  handle() {
    this.note();
    throw Object.assign(new TypeError(`${this.label} is broken`), { code: 'E_BROKEN' });
  }
  failed() {
    ran.push(`failed() of ${this.label}`);
  }
}

@Job()
class Says extends Noting {
  handle() {
    const error = this.context!.error as Error & { code?: string };
    this.note(`${this.label}: ${error.name}: ${error.message} (${error.code})`);
    if (!(error instanceof Error)) throw new Error('not an Error');
  }
}

@Job()
@Tries(3)
class Wanders extends Noting {
  handle() {
    this.note(`${this.label} ${this.attempts()}`);
    if (this.attempts() === 1) this.release();
    if (this.attempts() === 2) throw new Error('once more');
  }
}

@Job()
class Deletes extends Noting {
  handle() {
    this.note();
    this.delete();
  }
}

@Job()
@Middleware(Skip.when(true))
class Skipped extends Noting {
  handle() {
    this.note();
  }
}

@Job()
class Patient extends Noting {
  retryUntil: Date | number | (() => Date);
  constructor(label: string, until: Date | number | (() => Date) = () => new Date(Date.now() + 30_000)) {
    super(label);
    this.retryUntil = until;
  }
  handle() {
    this.note();
  }
}

@Job()
@Tries(2)
class Grows extends Noting {
  handle() {
    this.note(`${this.label} ${this.attempts()}`);
    this.prependToChain([new Step('p1'), new Step('p2')]);
    this.prependToChain(new Step('p0'));
    this.appendToChain([new Step('z1'), false, new Step('z2')]);
    if (this.attempts() === 1) throw new Error('its steps do not count');
  }
}

const PROVIDERS = [Step, Elsewhere, Breaks, Says, Wanders, Deletes, Skipped, Grows, Patient];

beforeEach(() => {
  ran = [];
  places = [];
});
afterEach(closeApps);

const open = (store: StoreName, more: Parameters<typeof openApp>[1] = {}) =>
  openApp(store, { providers: PROVIDERS, ...more });

describe.each(STORES)('a chain on %s', (store) => {
  let at: Opened;
  beforeEach(async () => {
    at = await open(store);
  });

  it('runs one job after the other, each when the one before it is done', async () => {
    const receipt = await at.bus.chain([new Step('a'), null, new Step('b'), false, new Step('c')]).dispatch();
    expect(receipt).toEqual({ id: expect.any(String), connection: store, queue: 'default' });
    expect((await at.manager.connection().size()).total).toBe(1);
    await at.drain({ concurrency: 4, stopWhenEmpty: false, maxJobs: 3 });
    expect(ran).toEqual(['a', 'b', 'c']);
    expect((await at.manager.connection().size()).total).toBe(0);
    expect(at.names().filter((name) => name.startsWith('JobPro'))).toEqual(
      Array(3).fill(['JobProcessing', 'JobProcessed']).flat(),
    );
  });

  it('waits for a job that is released or tried again, and goes on behind one that is deleted or skipped', async () => {
    await at.bus.chain([new Wanders('w'), new Deletes('d'), new Skipped('s'), new Step('end')]).dispatch();
    await at.drain();
    expect(ran).toEqual(['w 1', 'w 2', 'w 3', 'd', 'end']);
  });

  it('stops at a job that fails for good; every callback runs once, with the error, behind its failed()', async () => {
    await at.bus
      .chain([new Step('a'), new Breaks('b'), new Step('never')])
      .catch(new Says('first'))
      .catch(new Says('second'))
      .dispatch();
    await at.drain();
    expect(ran).toEqual([
      'a',
      'b',
      'failed() of b',
      'first: TypeError: b is broken (E_BROKEN)',
      'second: TypeError: b is broken (E_BROKEN)',
    ]);
    expect(await at.failed.count()).toBe(1);
    expect((await at.manager.connection().size()).total).toBe(0);
  });

  it('has its callbacks in the queue when failed() and the listeners of the failure run', async () => {
    const seen: number[] = [];
    at.manager.on(
      JobFailed,
      () =>
        void at.manager
          .connection()
          .size()
          .then((size) => seen.push(size.pending)),
    );
    await at.bus
      .chain([new Breaks('b')])
      .catch(new Says('c'))
      .dispatch();
    await at.drain({ maxJobs: 1 });
    await sleep(20);
    expect(seen).toEqual([1]);
  });

  it('takes a step’s own queue, else the chain’s, else the default one; its delay is for the first job', async () => {
    await at.bus
      .chain([new Elsewhere('head'), new Step('plain'), new Step('own').onQueue('mine'), new Step('after')])
      .onQueue('chained')
      .delay('300ms')
      .dispatch();
    expect(await at.manager.connection().size('own')).toMatchObject({ pending: 0, delayed: 1 });
    const began = Date.now();
    await at.drain({ queues: ['own', 'chained', 'mine'], stopWhenEmpty: false, maxJobs: 4 });
    expect(Date.now() - began).toBeGreaterThan(200);
    expect(places).toEqual([
      `head: ${store}/own`,
      `plain: ${store}/chained`,
      `own: ${store}/mine`,
      `after: ${store}/chained`,
    ]);
  });

  it('does not hand on what a head or a step says for itself', async () => {
    await at.bus.dispatch(new Step('head').chain([new Step('next'), new Elsewhere('there')])).onQueue('first');
    await at.bus
      .chain([new Breaks('b').onQueue('second')])
      .catch(new Says('c'))
      .catch(new Elsewhere('d'))
      .dispatch();
    await at.drain({ queues: ['first', 'second', 'own', 'default'], stopWhenEmpty: false, maxJobs: 6 });
    expect(places.toSorted()).toEqual(
      [
        `head: ${store}/first`,
        `b: ${store}/second`,
        `d: ${store}/own`,
        `next: ${store}/default`,
        `there: ${store}/own`,
        `c: TypeError: b is broken (E_BROKEN): ${store}/default`,
      ].toSorted(),
    );
  });

  it('counts a step’s delay from when it is enqueued, and a moment as it is', async () => {
    await at.bus
      .chain([
        new Step('a').delay('150ms'),
        new Step('b').delay('150ms'),
        new Step('c').delay(new Date(Date.now() + 100)),
      ])
      .delay(60)
      .dispatch();
    const began = Date.now();
    await at.drain({ stopWhenEmpty: false, maxJobs: 3 });
    expect(ran).toEqual(['a', 'b', 'c']);
    expect(Date.now() - began).toBeGreaterThanOrEqual(290);
    expect(Date.now() - began).toBeLessThan(2_000);
  });

  it('counts from when a step is enqueued until when it may be tried, unless that is a moment', async () => {
    const until: (number | undefined)[] = [];
    at.manager.on(JobProcessing, ({ job }) => void until.push((job.payload as { retryUntil?: number }).retryUntil));
    const moment = new Date(Date.now() + 60_000);
    await at.bus
      .chain([new Patient('a'), new Patient('b'), new Patient('c', moment), new Patient('d', 90)])
      .delay('250ms')
      .dispatch();
    const sent = Date.now();
    await at.drain({ stopWhenEmpty: false, maxJobs: 4 });
    expect(ran).toEqual(['a', 'b', 'c', 'd']);
    expect(until[0]! - sent).toBeLessThan(30_100);
    expect(until[1]! - sent).toBeGreaterThanOrEqual(30_200);
    expect(until[2]).toBe(moment.getTime());
    expect(until[3]! - sent).toBeGreaterThanOrEqual(90_200);
  });

  it('grows from inside a job, if that attempt succeeds', async () => {
    await at.bus.chain([new Grows('g'), new Step('next')]).dispatch();
    await at.bus.dispatch(new Grows('alone'));
    await at.drain();
    const of = (name: string) => ran.slice(ran.indexOf(name));
    expect(of('g 1').filter((one) => one.startsWith('g'))).toEqual(['g 1', 'g 2']);
    const steps = ran.filter((one) => /^[pzn]/.test(one));
    expect(steps.toSorted()).toEqual(
      ['next', ...['p0', 'p1', 'p2', 'z1', 'z2'].flatMap((one) => [one, one])].toSorted(),
    );
    expect(ran.indexOf('z2')).toBeGreaterThan(ran.indexOf('next'));
    expect(ran.indexOf('next')).toBeGreaterThan(ran.indexOf('p2'));
    expect(ran.filter((one) => one.startsWith('p')).slice(0, 1)).toEqual(['p0']);
  });

  it('keeps a step’s own chain right behind it, and a step’s own callback with those of the chain', async () => {
    await at.bus
      .chain([
        new Step('a').chain([new Step('a1'), new Step('a2')]),
        new Step('b').chain([new Breaks('b1')]),
        new Step('c'),
      ])
      .catch(new Says('caught').chain([new Step('and then')]))
      .dispatch();
    await at.drain();
    expect(ran).toEqual([
      'a',
      'a1',
      'a2',
      'b',
      'b1',
      'failed() of b1',
      'caught: TypeError: b1 is broken (E_BROKEN)',
      'and then',
    ]);
  });

  it('of a single dispatch: chain() and catch()', async () => {
    await at.bus
      .dispatch(new Step('a'))
      .chain([new Step('b'), new Breaks('c')])
      .catch(new Says('x'));
    await at.bus.dispatch(new Breaks('d')).catch(new Says('y')).catch(new Says('z'));
    await at.bus.dispatch(new Step('e')).catch(new Says('not'));
    await at.drain();
    const said = ran.filter((one) => /^[xyzn]/.test(one)).toSorted();
    expect(said).toEqual([
      'x: TypeError: c is broken (E_BROKEN)',
      'y: TypeError: d is broken (E_BROKEN)',
      'z: TypeError: d is broken (E_BROKEN)',
    ]);
    expect(ran).toEqual(expect.arrayContaining(['a', 'b', 'c', 'e']));
  });

  it('goes by bulk too', async () => {
    await at.bus.bulk([new Step('a').chain([new Step('a1')]), new Step('b'), new Step('c').chain([new Step('c1')])]);
    await at.drain();
    expect(ran).toEqual(['a', 'b', 'c', 'a1', 'c1']);
  });

  it('can be added to in front and at the end, and depends on a condition', async () => {
    const chain = at.bus
      .chain([new Step('b')])
      .append(new Step('c'))
      .prepend(new Step('a'));
    expect(await chain.dispatchIf(false)).toBeNull();
    expect(await chain.dispatchIf(() => false)).toBeNull();
    expect(await chain.dispatchUnless(true)).toBeNull();
    expect((await at.manager.connection().size()).total).toBe(0);
    expect(await chain.dispatchUnless(() => false)).toMatchObject({ queue: 'default' });
    await at.drain();
    expect(ran).toEqual(['a', 'b', 'c']);
  });

  it('is checked whole before anything is stored, and says which step is wrong', async () => {
    const bad = new Step('x');
    Object.assign(bad, { socket: () => 0 });
    await expect(at.bus.chain([new Step('a'), new Step('b'), bad]).dispatch()).rejects.toThrow(
      /^Step number 2 of the chain: .*Step\.socket/,
    );
    await expect(at.bus.chain([new Step('a'), {} as never]).dispatch()).rejects.toThrow(
      /^Step number 1 of the chain: .*plain object/,
    );
    await expect(at.bus.chain([new Step('a'), (() => 0) as never]).dispatch()).rejects.toThrow(
      /^Step number 1 of the chain: /,
    );
    await expect(
      at.bus
        .chain([new Step('a')])
        .catch(bad)
        .dispatch(),
    ).rejects.toThrow(/^Catch job number 0 of the chain: /);
    await expect(at.bus.chain([new Step('a'), new Step('b').onConnection('nowhere')]).dispatch()).rejects.toThrow(
      /^Step number 1 of the chain: .*nowhere/,
    );
    const round = new Step('round');
    await expect(at.bus.dispatch(round.chain([new Step('a'), round]))).rejects.toThrow(/step of its own chain/);
    await expect(at.bus.chain([null, false]).dispatch()).rejects.toThrow(/^bus\.chain\(\) was given no job/);
    expect(() => new Step('a').chain([])).toThrow(/^Step\.chain\(\) was given no job/);
    expect((await at.manager.connection().size()).total).toBe(0);
  });

  it('counts as one body', async () => {
    const large = new Step('y'.repeat(600_000));
    await expect(at.bus.chain([large, new Step('z'.repeat(600_000))]).dispatch()).rejects.toMatchObject({
      code: 'ERR_QUEUE_PAYLOAD_TOO_LARGE',
    });
  });

  it('shows in the payload, and a step’s id is the one that it was written with', async () => {
    const payloads: unknown[] = [];
    at.manager.on(JobProcessing, ({ job }: { job: JobContext }) => void payloads.push(job.payload));
    await at.bus
      .chain([new Step('a'), new Step('b')])
      .onQueue('default')
      .catch(new Says('c'))
      .dispatch();
    const [pending] = await at.manager.connection().pendingJobs();
    const written = pending!.payload as { chain: { rest: { uuid: string }[] } };
    expect(written).toMatchObject({
      chain: { rest: [{ name: 'Step', data: { label: 'b' } }], catch: [{ name: 'Says' }], queue: 'default' },
    });
    await at.drain();
    expect(payloads).toHaveLength(2);
    expect(payloads[1]).toMatchObject({
      uuid: written.chain.rest[0]!.uuid,
      chain: { rest: [], catch: [{ name: 'Says' }] },
    });
  });

  it('raises the queue events of each step with the write that enqueues it', async () => {
    const seen: string[] = [];
    const label = (job: object) => (job as Step).label;
    at.manager.on(JobQueueing, (e) => void seen.push(`queueing ${label(e.job)}`));
    at.manager.on(JobQueued, (e) => void seen.push(`queued ${label(e.job)} ${e.queue} ${e.id.length}`));
    at.manager.on(JobProcessed, () => void seen.push('processed'));
    await at.bus.chain([new Step('a'), new Elsewhere('b')]).dispatch();
    await at.drain({ queues: ['default', 'own'] });
    expect(seen).toEqual(['queueing a', 'queued a null 36', 'queueing b', 'queued b own 36', 'processed', 'processed']);
  });

  it('goes on when its failed step is retried, and has its callbacks anew when that fails again', async () => {
    await at.bus
      .chain([new Breaks('b'), new Step('never')])
      .catch(new Says('c'))
      .dispatch();
    await at.drain();
    const [failed] = await at.failed.all();
    expect(await at.failed.retry(failed!.id)).toBe(true);
    await at.drain();
    expect(ran.filter((one) => one.startsWith('c:'))).toHaveLength(2);
    expect(await at.failed.count()).toBe(1);
    const mended = jest.spyOn(Breaks.prototype, 'handle').mockImplementation(() => void ran.push('mended') as never);
    await at.failed.retry(failed!.id);
    await at.drain();
    mended.mockRestore();
    expect(ran.slice(-2)).toEqual(['mended', 'never']);
  });
});

describe('a step of a class that nobody knows', () => {
  it('is recorded at that step, and the chain’s callbacks run', async () => {
    @Job()
    class Unlisted extends Noting {
      handle() {}
    }
    const at = await open('database');
    await at.bus
      .chain([new Step('a'), new Unlisted('u'), new Step('never')])
      .catch(new Says('c'))
      .dispatch();
    await at.drain({ unknownJobTries: 1 });
    expect(ran).toEqual(['a', expect.stringMatching(/^c: UnknownJobError: .*Unlisted/)]);
    expect(await at.failed.all()).toMatchObject([{ name: 'Unlisted' }]);
  });
});
