import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import {
  Encrypted,
  FailedHookErrored,
  Job,
  JobFailed,
  JobQueued,
  Queueable,
  SignatureError,
  Tries,
  type JobEnvelope,
  type QueueModuleOptions,
} from 'nestjs-queue';
import { onStores } from './on-stores.js';
import { closeApps, openApp, type Opened } from './open-app.js';

const OLD = 'an old key of more than thirty-two characters';
const NEW = 'a new key of more than thirty-two characters!';
const BOTH = { current: 'new', keys: { old: OLD, new: NEW } };
const ELSEWHERE = '018f2d0e-7d0a-7d3e-9a55-0d6c6a2f1b11';

let ran: unknown[] = [];
let until = 0;

@Job()
class Pay extends Queueable {
  constructor(readonly amount: number) {
    super();
  }
  handle(): void {
    ran.push(this.amount);
    if (this.amount < 0) this.fail('negative');
  }
  failed(): void {
    ran.push(['failed()', this.amount]);
  }
}
@Job()
@Encrypted()
class Charge extends Pay {}
@Job()
@Tries(1)
class Timed extends Pay {
  retryUntil(): Date {
    ran.push('asked');
    return new Date(until);
  }
}
const JOBS = [Pay, Charge, Timed];

beforeEach(() => {
  ran = [];
  until = Date.now() + 3_600_000;
});
afterEach(closeApps);

const openWith = (connection: object, options: Partial<QueueModuleOptions>): Promise<Opened> =>
  openApp('memory', {
    providers: JOBS,
    options: { default: 'main', connections: { main: connection as never }, ...options },
  });
const failures = ({ seen }: Opened): Error[] =>
  seen.filter((one): one is JobFailed => one instanceof JobFailed).map(({ error }) => error);

function flows(connection: () => object): void {
  const open = (options: Partial<QueueModuleOptions>): Promise<Opened> => openWith(connection(), options);
  const strict = (key: QueueModuleOptions['key'] = BOTH): Promise<Opened> => open({ key: key!, signing: 'require' });
  const sent = async (at: Opened): Promise<JobEnvelope[]> =>
    (await at.manager.connection().pendingJobs()).map(({ payload }) => payload as JobEnvelope);
  const swap = async (at: Opened, envelope: object, id?: string): Promise<string> => {
    const main = at.manager.connection();
    const body = JSON.stringify(envelope);
    await main.clear();
    if (id === undefined) await main.pushRaw(body);
    else await main.pushEntries([{ id, queue: 'default', body, delayMs: 0 }]);
    return body;
  };

  afterEach(async () => {
    const at = await open({ key: BOTH });
    await at.manager.connection().clear();
    await at.failed.flush();
    await closeApps();
  });

  it('runs what it has signed itself, by every way to dispatch', async () => {
    const at = await strict();
    await at.bus.dispatch(new Pay(1));
    await at.bus.bulk([new Pay(2), new Charge(3)]);
    expect((await sent(at)).map(({ signature }) => signature?.slice(0, 7))).toEqual(['v1.new.', 'v1.new.', 'v1.new.']);
    await at.drain();
    await at.bus.dispatchSync(new Pay(4));
    await at.bus.dispatch(new Pay(5)).onConnection('sync');
    expect(ran).toEqual([1, 2, 3, 4, 5]);
    expect(await at.failed.count()).toBe(0);
  });

  it('runs the same body again that failed() and a later attempt need', async () => {
    const at = await strict();
    await at.bus.dispatch(new Pay(-1));
    await at.drain();
    expect(ran).toEqual([-1, ['failed()', -1]]);
    const [record] = await at.failed.all();
    expect(await at.failed.retry(record!.id)).toBe(true);
    const [{ signature, retried, ...rest }] = (await sent(at)) as [JobEnvelope];
    const { signature: before, ...envelope } = JSON.parse(record!.payload) as JobEnvelope;
    expect([rest, retried]).toEqual([envelope, record!.failedAt.getTime()]);
    expect(signature).not.toBe(before);
    await at.drain();
    expect(ran).toHaveLength(4);
  });

  it.each<[string, (envelope: JobEnvelope) => object, RegExp, string | undefined]>([
    ['whose signature was stripped', ({ signature: _own, ...one }) => one, /not signed.*signing: 'require'/, undefined],
    ['that was changed', (one) => ({ ...one, data: { amount: 1_000 } }), /does not hold/, undefined],
    ['that was given other limits', (one) => ({ ...one, maxTries: 100 }), /does not hold/, undefined],
    ['that says another class', (one) => ({ ...one, name: 'Timed' }), /does not hold/, undefined],
    ['under another id', (one) => one, /signed for a job of another id/, ELSEWHERE],
    ['that says another id', (one) => ({ ...one, uuid: ELSEWHERE }), /does not hold/, undefined],
    [
      'with another scheme',
      (one) => ({ ...one, signature: one.signature!.replace('v1', 'none') }),
      /not what this package/,
      undefined,
    ],
    [
      'of a class that nobody knows',
      ({ signature: _own, ...one }) => ({ ...one, name: 'Nobody' }),
      /not signed/,
      undefined,
    ],
    [
      'whose time is over already',
      ({ signature: _own, ...one }) => ({ ...one, name: 'Timed', displayName: 'Timed', retryUntil: 1 }),
      /not signed/,
      undefined,
    ],
  ])('records a job %s once, unrun, with its bytes', async (_, change, message, id) => {
    const at = await strict();
    await at.bus.dispatch(new Pay(1));
    const [one] = await sent(at);
    const body = await swap(at, change(one!), id);
    await at.drain();
    expect(ran).toEqual([]);
    expect(failures(at).map((error) => error.constructor)).toEqual([SignatureError]);
    expect(at.seen.some((event) => event instanceof FailedHookErrored)).toBe(false);
    const records = await at.failed.all();
    expect(records.map(({ payload }) => payload)).toEqual([body]);
    expect(records[0]!.exception).toMatch(message);
    expect(records[0]!.displayName).not.toBe('(unreadable)');
    expect((await at.manager.connection().size()).total).toBe(0);

    // Sent again it is what it was: refused.
    expect(await at.failed.retry(records[0]!.id)).toBe(true);
    await at.drain();
    expect(ran).toEqual([]);
    expect((await at.failed.all()).map(({ payload }) => payload)).toEqual([body]);
  });

  it('refuses what pushRaw() took', async () => {
    const at = await strict();
    const envelope = { v: 1, uuid: ELSEWHERE, name: 'Pay', displayName: 'Pay', createdAt: 1, data: { amount: 7 } };
    expect(await at.manager.connection().pushRaw(JSON.stringify(envelope))).toBe(ELSEWHERE);
    await at.drain();
    expect(ran).toEqual([]);
    expect((await at.failed.find(ELSEWHERE))!.exception).toMatch(/^SignatureError: Pay is not signed/);
  });

  it('runs what was signed under the old key, and keeps it where that is missing', async () => {
    const before = await strict({ current: 'old', keys: { old: OLD } });
    const first = await before.bus.dispatch(new Pay(1));
    await before.bus.dispatch(new Pay(2));
    await closeApps();
    const without = await strict({ current: 'new', keys: { new: NEW } });
    await without.workers.runNextJob({ sleep: 0 });
    expect((await without.failed.find(first!.id))!.exception).toContain('key "old", which this process does not have');
    await closeApps();
    const rotated = await strict();
    await rotated.failed.retry(first!.id);
    await rotated.drain();
    expect(ran).toEqual([2, 1]);
  });

  it('signs anew what a retry changes, with the current key', async () => {
    const before = await strict({ current: 'old', keys: { old: OLD } });
    until = Date.now() - 1;
    const { id } = (await before.bus.dispatch(new Timed(1)))!;
    await before.drain();
    expect(await before.failed.count()).toBe(1);
    await closeApps();
    until = Date.now() + 3_600_000;
    const at = await strict();
    expect(await at.failed.retry(id)).toBe(true);
    const [one] = await sent(at);
    expect(one).toMatchObject({ retryUntil: until });
    expect(one!.signature).toMatch(/^v1\.new\./);
    await at.drain();
    expect(ran.filter((what) => what === 1)).toEqual([1]);
    expect(await at.failed.count()).toBe(0);
  });

  it('asks nothing of a class for a body that nobody vouches for', async () => {
    const at = await strict();
    until = Date.now() - 1;
    const { id } = (await at.bus.dispatch(new Timed(1)))!;
    const [one] = await sent(at);
    const body = await swap(at, { ...one, data: { amount: 9 } });
    await at.drain();
    ran = [];
    until = Date.now() + 3_600_000;
    await at.failed.retry(id);
    expect(ran).toEqual([]);
    expect(await sent(at)).toEqual([JSON.parse(body)]);
  });

  it('runs a chain whose steps and callbacks it has signed each on its own', async () => {
    const at = await strict();
    const chain = (last: number) =>
      at.bus
        .chain([new Pay(1), new Charge(2), new Pay(last)])
        .catch(new Pay(99))
        .dispatch();
    await chain(3);
    const [head] = await sent(at);
    const inside = [...head!.chain!.rest, ...head!.chain!.catch!];
    expect(inside.map(({ signature }) => typeof signature)).toEqual(['string', 'string', 'string']);
    expect(JSON.stringify(head)).not.toContain('{"amount":2}');
    await at.drain();
    expect(ran).toEqual([1, 2, 3]);
    await chain(-3);
    await at.drain();
    expect(ran.slice(3)).toEqual([1, 2, -3, ['failed()', -3], 99]);
    expect(failures(at)).toHaveLength(1);
  });

  it('gives nobody a signature for a step that he put into a chain', async () => {
    const at = await strict();
    await at.bus.chain([new Pay(1), new Pay(2)]).dispatch();
    const [head] = await sent(at);
    const [step] = head!.chain!.rest;
    const forged = { ...step!, data: { amount: 1_000 } };
    await swap(at, { ...head!, chain: { ...head!.chain!, rest: [forged] } });
    await at.drain();
    expect(ran).toEqual([]);
    expect(failures(at).map((error) => error.constructor)).toEqual([SignatureError]);
    await closeApps();

    // Where nothing has to be signed the head may come without a signature; the step keeps the one that does not fit it.
    const lax = await open({ key: BOTH });
    await lax.failed.flush();
    const { signature: _own, ...unsigned } = head!;
    await swap(lax, { ...unsigned, chain: { ...head!.chain!, rest: [forged] } });
    await lax.drain();
    expect(ran).toEqual([1]);
    expect(failures(lax).map((error) => error.constructor)).toEqual([SignatureError]);
  });

  it('verifies a signature that is there also where none is required', async () => {
    const producer = await strict();
    await producer.bus.dispatch(new Pay(1));
    const [one] = await sent(producer);
    await closeApps();
    const at = await open({ key: BOTH });
    await at.bus.dispatch(new Pay(2));
    expect((await sent(at))[1]).not.toHaveProperty('signature');
    await at.drain();
    expect(ran).toEqual([1, 2]);
    await swap(at, { ...one, data: { amount: 3 } });
    await at.drain();
    expect(ran).toEqual([1, 2]);
    expect(failures(at).map((error) => error.constructor)).toEqual([SignatureError]);
    const { signature: _own, ...unsigned } = one!;
    await swap(at, unsigned);
    await at.drain();
    expect(ran).toEqual([1, 2, 1]);
  });
}

describe('signed jobs', () => {
  it('need a key', async () => {
    await expect(openWith({ driver: 'memory' }, { signing: 'require' })).rejects.toThrow(
      /signing: 'require' needs a key.*QUEUE_KEY/,
    );
    await expect(openWith({ driver: 'memory' }, { key: NEW, signing: 'always' as never })).rejects.toThrow(
      /neither 'off'/,
    );
  });

  it('are signed when they wait for a commit, too', async () => {
    const source = new DataSource({
      type: 'better-sqlite3',
      database: ':memory:',
      driver: (await import('libsql')).default,
    });
    await source.initialize();
    const at = await openApp('memory', {
      providers: [...JOBS, { provide: DataSource, useValue: source }],
      options: { key: NEW, signing: 'require' },
    });
    await source.transaction(async () => {
      await at.bus.dispatch(new Pay(1)).afterCommit();
      await at.drain();
      expect(ran).toEqual([]);
    });
    await at.bus.flush();
    await at.drain();
    expect(ran).toEqual([1]);
    await source.destroy();
  });

  it('are signed with what hooks add', async () => {
    const at = await openApp('memory', { providers: JOBS, options: { key: NEW, signing: 'require' } });
    const bodies: string[] = [];
    at.manager.on(JobQueued, (event) => void bodies.push(event.payload));
    at.manager.createPayloadUsing(() => ({ b: 1, 2: 'two', a: { list: [null, -0, 1e21] } }));
    await at.bus.dispatch(new Pay(1));
    expect(JSON.parse(bodies[0]!)).toMatchObject({ extra: { 2: 'two', a: { list: [null, 0, 1e21] } } });
    await at.drain();
    expect(ran).toEqual([1]);
  });
});

describe('signed jobs on memory', () => {
  it('run signed, and not otherwise', async () => {
    const at = await openWith({ driver: 'memory' }, { key: NEW, signing: 'require' });
    const { id } = (await at.bus.dispatch(new Pay(1)))!;
    const [job] = await at.manager.connection().pendingJobs();
    await at.drain();
    const { signature: _own, ...unsigned } = job!.payload as JobEnvelope;
    await at.manager.connection().pushRaw(JSON.stringify(unsigned));
    await at.drain();
    expect(ran).toEqual([1]);
    expect((await at.failed.find(id))!.exception).toContain('SignatureError');
  });
});

onStores('signed jobs', flows);
