import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Job,
  JobFailed,
  JobLeaseLost,
  JobProcessed,
  JobProcessing,
  Queueable,
  Tries,
  Unique,
  UniqueFor,
  UniqueJobSkipped,
} from 'nestjs-queue';
import { BrittleStore } from './brittle-store.js';
import { closeApps, openApp, sleep, sqliteOptions, until, type Opened } from './open-app.js';

let ran: string[] = [];
let during: (job: Noting) => unknown = () => {};

abstract class Noting extends Queueable {
  constructor(readonly label: string) {
    super();
  }
  protected note(): void {
    ran.push(`${this.label} on ${this.context!.connection}`);
  }
}

@Job()
class Step extends Noting {
  async handle() {
    this.note();
    await during(this);
  }
}

@Job()
class Breaks extends Noting {
  handle() {
    this.note();
    throw new Error(`${this.label} is broken`);
  }
  failed() {
    ran.push(`failed() of ${this.label}`);
  }
}

@Job()
class Says extends Noting {
  handle() {
    ran.push(`${this.label}: ${(this.context!.error as Error).message}`);
  }
}

@Job()
@Unique()
class Only extends Noting {
  uniqueId() {
    return this.label.split(' ')[0]!;
  }
  handle() {
    this.note();
  }
}

@Job()
@UniqueFor(600)
@Tries(2)
class OnlyOnce extends Only {}

@Job()
class Grows extends Noting {
  handle() {
    this.note();
    this.prependToChain(new Step('grown').onConnection('other'));
  }
}

const PROVIDERS = [Step, Breaks, Says, Only, OnlyOnce, Grows];

let dir: string;
beforeEach(() => {
  ran = [];
  during = () => {};
  dir = mkdtempSync(join(tmpdir(), 'queue-chains-'));
});
afterEach(async () => {
  await closeApps();
  rmSync(dir, { recursive: true, force: true });
});

/** `memory` and `database` as everywhere, `other` a second file, `brittle` a store that can be taken down. */
async function open(more: Parameters<typeof openApp>[1] = {}): Promise<Opened & { brittle: BrittleStore }> {
  const brittle = new BrittleStore();
  const other = sqliteOptions(dir, {}) as object;
  const at = await openApp('database', {
    providers: PROVIDERS,
    ...more,
    options: {
      ...more.options,
      connections: {
        other: { ...other, queue: 'default' } as never,
        brittle: { driver: 'brittle' } as never,
        ...more.options?.connections,
      },
      drivers: { brittle: () => brittle.backend },
    },
  });
  return { ...at, brittle };
}

const drainAll = async (at: Opened, ...names: string[]): Promise<void> => {
  for (const connection of names) await at.drain({ connection });
};
const left = async (at: Opened, name: string): Promise<number> => (await at.manager.connection(name).size()).total;

describe('a chain across connections', () => {
  it('is pushed to where each step belongs, in order, with its callbacks', async () => {
    const at = await open();
    await at.bus
      .chain([
        new Step('a'),
        new Step('b').onConnection('other'),
        new Step('c').onConnection('memory'),
        new Breaks('d'),
      ])
      .catch(new Says('e').onConnection('other'))
      .catch(new Says('f'))
      .dispatch();
    await drainAll(at, 'database', 'other', 'memory', 'database', 'other', 'database');
    expect(ran).toEqual([
      'a on database',
      'b on other',
      'c on memory',
      'd on database',
      'failed() of d',
      'f: d is broken',
      'e: d is broken',
    ]);
    for (const name of ['database', 'other', 'memory']) expect(await left(at, name)).toBe(0);
  });

  it('takes the chain’s connection for steps that name none', async () => {
    const at = await open();
    await at.bus
      .chain([new Step('a'), new Step('b').onConnection('memory'), new Step('c')])
      .onConnection('other')
      .dispatch();
    await drainAll(at, 'other', 'memory', 'other');
    expect(ran).toEqual(['a on other', 'b on memory', 'c on other']);
  });

  it('keeps a job that is done while the other store is down: its handler does not run again, and the chain goes on', async () => {
    const at = await open();
    at.brittle.down.add('push');
    const { id } = (await at.bus
      .chain([new Grows('g'), new Step('b').onConnection('brittle'), new Step('c')])
      .dispatch())!;
    // What the attempt added is first, and its store is up.
    await at.drain();
    await at.drain({ connection: 'other', maxJobs: 1 });
    expect(ran).toEqual(['g on database', 'grown on other']);
    expect(await left(at, 'brittle')).toBe(0);
    expect(await left(at, 'other')).toBe(1);
    const [kept] = await at.manager.connection('other').delayedJobs();
    expect(kept!.id).not.toBe(id);
    at.brittle.down.clear();
    await at.drain({ connection: 'other', stopWhenEmpty: false, maxJobs: 1 });
    expect(await left(at, 'other')).toBe(0);
    await drainAll(at, 'brittle', 'database');
    expect(ran).toEqual(['g on database', 'grown on other', 'b on brittle', 'c on database']);
    expect(at.seen.filter((one) => one instanceof JobProcessed)).toHaveLength(4);
  }, 20_000);

  it('keeps what the attempt added while it waits', async () => {
    const at = await open();
    at.brittle.down.add('push');
    during = (job) => job.label === 'a' && job.prependToChain(new Step('p').onConnection('brittle'));
    await at.bus.dispatch(new Step('a'));
    await at.drain();
    at.brittle.down.clear();
    await at.drain({ stopWhenEmpty: false, maxJobs: 1 });
    await at.drain({ connection: 'brittle' });
    expect(ran).toEqual(['a on database', 'p on brittle']);
  }, 20_000);

  it('keeps a failed job until its callback is with its store, and runs neither its handler nor failed() twice', async () => {
    const at = await open();
    at.brittle.down.add('push');
    await at.bus.dispatch(new Breaks('d')).catch(new Says('e').onConnection('brittle'));
    await at.drain();
    expect(ran).toEqual(['d on database']);
    at.brittle.down.clear();
    await at.drain({ stopWhenEmpty: false, maxJobs: 1 });
    await at.drain({ connection: 'brittle' });
    expect(ran).toEqual(['d on database', 'failed() of d', 'e: d is broken']);
    expect(await at.failed.count()).toBe(1);
    expect(at.seen.filter((one) => one instanceof JobFailed)).toHaveLength(1);
  }, 20_000);

  it('calls back again when a retry fails again, where ids are remembered too', async () => {
    const at = await open();
    const { id } = (await at.bus.dispatch(new Breaks('d')).catch(new Says('e').onConnection('other')))!;
    await drainAll(at, 'database', 'other');
    expect(await at.failed.retry(id)).toBe(true);
    await drainAll(at, 'database', 'other');
    expect(ran.filter((one) => one.startsWith('e'))).toEqual(['e: d is broken', 'e: d is broken']);
  });

  it('is not sent on by a worker that has lost its lease', async () => {
    const at = await open({ retryAfter: '1s' });
    let stolen: Promise<unknown> | undefined;
    during = async (job) => {
      if (job.label !== 'a' || job.attempts() > 1) return;
      // Somebody takes it out of the queue behind the worker's back.
      const inspection = await at.manager.connection('database').inspection();
      stolen = inspection.remove(job.context!.id);
      await stolen;
    };
    await at.bus.chain([new Step('a'), new Step('b').onConnection('other')]).dispatch();
    await at.drain();
    expect(stolen).toBeDefined();
    expect(await left(at, 'other')).toBe(0);
    expect(at.seen.filter((one) => one instanceof JobLeaseLost)).toHaveLength(1);
  });

  it('is sent on once when its worker goes between the push and the ack', async () => {
    const at = await open({ options: { connections: { brittle: { driver: 'brittle', retryAfter: 1 } as never } } });
    await at.bus.chain([new Step('x').onConnection('brittle'), new Step('y').onConnection('other')]).dispatch();
    const verbs = ['settle', 'exchange', 'reserve'];
    during = (job) => job.label === 'x' && job.attempts() === 1 && verbs.forEach((verb) => at.brittle.down.add(verb));
    const gone = at.workers.work({ connection: 'brittle', grace: '10ms', sleep: '20ms' });
    await until(async () => (await left(at, 'other')) === 1);
    void at.workers.force();
    await gone;
    await at.drain({ connection: 'other' });
    at.brittle.down.clear();
    await sleep(1_100);
    await at.drain({ connection: 'brittle' });
    await at.drain({ connection: 'other' });
    expect(ran).toEqual(['x on brittle', 'y on other', 'x on brittle']);
  }, 20_000);

  it('records a step that there is no place for, and calls back', async () => {
    const at = await open();
    await at.bus
      .chain([new Step('a'), new Step('b')])
      .catch(new Says('e'))
      .dispatch();
    const [pending] = await at.manager.connection().pendingJobs();
    const payload = pending!.payload as { chain: { rest: { target?: object }[] } };
    payload.chain.rest[0]!.target = { connection: 'nowhere' };
    await at.manager.connection().clear();
    await at.manager.connection().pushRaw(JSON.stringify(payload));
    await at.drain();
    expect(ran).toEqual(['a on database', expect.stringMatching(/^e: .*nowhere/)]);
    expect(await at.failed.all()).toMatchObject([{ name: 'Step', connection: 'nowhere' }]);
  });
});

describe('a chain on connections without a store', () => {
  it('runs whole within the dispatch', async () => {
    const at = await open();
    await at.bus
      .chain([new Step('a'), new Step('b'), new Step('c')])
      .onConnection('sync')
      .dispatch();
    expect(ran).toEqual(['a on sync', 'b on sync', 'c on sync']);
    expect(at.names().filter((name) => /JobProcess/.test(name))).toEqual(
      Array(3).fill(['JobProcessing', 'JobProcessed']).flat(),
    );
  });

  it('fails within the dispatch: callbacks, failed(), events, and then the caller', async () => {
    const at = await open();
    at.manager.on(JobFailed, () => void ran.push('JobFailed'));
    const sent = at.bus
      .chain([new Step('a'), new Breaks('b'), new Step('never')])
      .onConnection('sync')
      .catch(new Says('caught'))
      .dispatch();
    await expect(sent).rejects.toThrow('b is broken');
    expect(ran).toEqual(['a on sync', 'b on sync', 'caught: b is broken', 'failed() of b', 'JobFailed']);
    expect(await at.failed.count()).toBe(0);
  });

  it('goes on wherever its steps belong', async () => {
    const at = await open();
    await at.bus.dispatchSync(new Step('a').chain([new Step('b').onConnection('sync'), new Step('c')]));
    expect(ran).toEqual(['a on sync', 'b on sync']);
    await at.drain();
    expect(ran).toEqual(['a on sync', 'b on sync', 'c on database']);
    await at.bus
      .chain([new Step('d'), new Step('e').onConnection('sync'), new Breaks('f').onConnection('sync')])
      .catch(new Says('g'))
      .dispatch();
    await at.drain();
    expect(ran.slice(3)).toEqual(['d on database', 'e on sync', 'f on sync', 'failed() of f', 'g: f is broken']);
    expect(await left(at, 'database')).toBe(0);
  });

  it('deferred: after the response, one behind the other', async () => {
    const at = await open();
    await at.bus
      .chain([new Step('a'), new Breaks('b')])
      .onConnection('deferred')
      .catch(new Says('c'))
      .dispatch();
    await until(() => ran.length === 4);
    expect(ran.slice(0, 2)).toEqual(['a on deferred', 'b on deferred']);
    expect(ran.slice(2).toSorted()).toEqual(['c: b is broken', 'failed() of b']);
  });

  it('rejects when its next step cannot be sent', async () => {
    const at = await open();
    at.brittle.down.add('push');
    const sent = at.bus.dispatchSync(new Step('a').chain([new Step('b').onConnection('brittle')]));
    await expect(sent).rejects.toThrow('the store is down');
  });
});

describe.each(['database', 'memory', 'elsewhere'] as const)('unique jobs in a chain, locks on %s', (where) => {
  let at: Opened;
  beforeEach(async () => {
    const locks = where === 'elsewhere' ? { locks: { connection: 'memory' } } : {};
    at = await open({ options: { default: where === 'memory' ? 'memory' : 'database', ...locks } });
  });

  it('sends nothing where the head’s lock is held', async () => {
    await at.bus.dispatch(new Only('k 1')).delay(60);
    expect(
      await at.bus
        .chain([new Only('k 2'), new Step('b')])
        .catch(new Says('c'))
        .dispatch(),
    ).toBeNull();
    expect((await at.manager.connection().size()).total).toBe(1);
    await at.drain();
    expect(ran).toEqual([]);
  });

  it('fails the chain where a step’s lock is held', async () => {
    await at.bus.dispatch(new Only('k 1')).delay(60);
    await at.bus
      .chain([new Step('a'), new Only('k 2'), new Step('never')])
      .catch(new Says('c'))
      .dispatch();
    await at.drain();
    expect(ran).toEqual([expect.stringMatching(/^a /), expect.stringMatching(/^c: Only is unique/)]);
    const skipped = at.seen.filter((one) => one instanceof UniqueJobSkipped);
    expect(skipped.map(({ job }) => (job as Only).label)).toEqual(['k 2']);
    expect(await at.failed.count()).toBe(0);
  });

  it('gives each step its lock while it waits and runs, and hands it on', async () => {
    await at.bus
      .chain([new Step('a'), new Only('k 1').delay('200ms'), new OnlyOnce('k 2'), new Only('k 3'), new Only('k 4')])
      .dispatch();
    await at.drain({ maxJobs: 1 });
    expect(await at.bus.dispatch(new Only('k 9'))).toBeNull();
    await at.drain({ stopWhenEmpty: false, maxJobs: 4 });
    expect(ran.map((one) => one.split(' on ')[0])).toEqual(['a', 'k 1', 'k 2', 'k 3', 'k 4']);
    expect(await at.bus.dispatch(new Only('k 9'))).not.toBeNull();
    expect(await at.bus.dispatch(new OnlyOnce('k 9'))).not.toBeNull();
  });
});

describe('what a listener sees', () => {
  it('is the step’s own error in its callback and none in a step', async () => {
    const at = await open();
    const errors: unknown[] = [];
    at.manager.on(JobProcessing, ({ job }) => void errors.push((job.error as Error | undefined)?.message));
    await at.bus
      .chain([new Step('a'), new Breaks('b')])
      .catch(new Says('c'))
      .dispatch();
    await at.drain();
    expect(errors).toEqual([undefined, undefined, 'b is broken']);
  });
});
