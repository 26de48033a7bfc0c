import { describe, expect, it } from '@jest/globals';
import type { Outgoing } from '../../../lib/connections/outgoing.js';
import { unlimited } from '../../../lib/contracts/driver-limits.js';
import type { PushEntry, PushResult, QueueDriver } from '../../../lib/contracts/queue-driver.js';
import { JobQueued, JobQueueing } from '../../../lib/contracts/queue-events.js';
import { DispatchTimeoutError } from '../../../lib/contracts/store-errors.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';
import { entryOf, openManager, outgoing } from './open-manager.js';

/** A driver whose push is scripted; for what a healthy store never does. */
function scripted(
  push: (entries: readonly PushEntry[]) => Promise<readonly PushResult[]>,
  more: Partial<QueueDriver> = {},
): QueueDriver {
  return {
    limits: unlimited,
    push,
    reserve: () => Promise.resolve([]),
    settle: () => Promise.resolve([]),
    size: (queues) => Promise.resolve(queues.map(() => ({ pending: 2 }))),
    ...more,
  };
}

function connect(driver: QueueDriver, options: object = {}, clock?: FakeClock) {
  const opened = openManager(
    { connections: { own: { driver: 'memory' } }, ...options },
    { drivers: { memory: () => () => driver }, ...(clock && { clock }) },
  );
  return { ...opened, connection: opened.manager.get('own') };
}

const never = new AbortController().signal;

describe('QueueConnection.push', () => {
  it('raises JobQueueing for all, stores, then JobQueued for what was stored', async () => {
    const { manager, hub } = openManager();
    const connection = manager.get('memory');
    const heard: object[] = [];
    hub.onEvery((event) => heard.push(event));
    const known = entryOf('{"n":1}');
    await connection.pushEntries([known]);
    expect(heard).toEqual([]);
    const fresh = outgoing(entryOf('{"n":2}', { delayMs: 5_000 }), 'high', 5);
    await expect(connection.push([outgoing(known), fresh])).resolves.toEqual([
      { stored: false, reason: 'exists' },
      { stored: true },
    ]);
    expect(heard).toEqual([
      new JobQueueing('memory', null, { carried: known.id }, '{"n":1}', null),
      new JobQueueing('memory', 'high', fresh.job, '{"n":2}', 5),
      new JobQueued('memory', 'high', fresh.entry.id, fresh.job, '{"n":2}', 5),
    ]);
  });

  it('does not let a listener that fails stop a dispatch', async () => {
    const { manager, hub, reports } = openManager();
    hub.on(JobQueueing, () => {
      throw new Error('listener');
    });
    await expect(manager.get('memory').push([outgoing(entryOf())])).resolves.toEqual([{ stored: true }]);
    expect(reports).toHaveLength(1);
  });

  it('makes its store once, also when calls race, and tries again where that failed', async () => {
    let made = 0;
    const { manager } = openManager(
      {},
      {
        drivers: {
          memory: async () => {
            made += 1;
            await new Promise(setImmediate);
            if (made === 1) throw new Error('not yet');
            return () => scripted((entries) => Promise.resolve(entries.map(() => ({ stored: true }))));
          },
        },
      },
    );
    const connection = manager.get('memory');
    expect(connection.ready()).toBeUndefined();
    expect(connection.used).toBe(false);
    const failed = await Promise.allSettled([
      connection.push([outgoing(entryOf())]),
      connection.queue(),
      connection.backend(),
    ]);
    expect(failed.map((one) => one.status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(made).toBe(1);
    const [one, two] = await Promise.all([connection.queue(), connection.queue()]);
    expect(made).toBe(2);
    expect(one).toBe(two);
    expect(connection.ready()).toBe(one);
  });

  it("rejects with the store's error where the store took none, and leaves the rest in the answers", async () => {
    const down = new Error('store down');
    const all = connect(
      scripted((entries) => Promise.resolve(entries.map(() => ({ stored: false, reason: 'error', error: down })))),
    );
    await expect(all.connection.push([outgoing(entryOf()), outgoing(entryOf())])).rejects.toBe(down);
    const some = connect(
      scripted((entries) =>
        Promise.resolve(
          entries.map((_, index) => (index ? { stored: false, reason: 'error', error: down } : { stored: true })),
        ),
      ),
    );
    await expect(some.connection.push([outgoing(entryOf()), outgoing(entryOf())])).resolves.toMatchObject([
      { stored: true },
      { error: down },
    ]);
    const each = connect(
      scripted((entries) =>
        Promise.resolve(entries.map((one) => ({ stored: false, reason: 'error', error: new Error(one.id) }))),
      ),
    );
    await expect(each.connection.push([outgoing(entryOf()), outgoing(entryOf())])).resolves.toHaveLength(2);
    const rejecting = connect(scripted(() => Promise.reject(down)));
    await expect(rejecting.connection.push([outgoing(entryOf())])).rejects.toBe(down);
  });

  it('refuses a body beyond maxPayload', async () => {
    const { manager } = openManager({ maxPayload: 10 });
    await expect(manager.get('memory').push([outgoing(entryOf('x'.repeat(11)))])).rejects.toMatchObject({
      code: 'ERR_QUEUE_PAYLOAD_TOO_LARGE',
      size: 11,
      limit: 10,
    });
  });
});

describe('the dispatch deadline', () => {
  it('rejects when the store does not answer, says that the outcome is unknown, and swallows what comes later', async () => {
    const clock = new FakeClock();
    let late: ((error: unknown) => void) | undefined;
    const { connection } = connect(
      scripted(() => new Promise((_, reject) => (late = reject))),
      { dispatchTimeout: 2 },
      clock,
    );
    await connection.queue();
    const sent = connection.push([outgoing(entryOf())]);
    const settled = sent.then(
      () => 'stored',
      (error: unknown) => error,
    );
    await clock.advance('1900ms');
    await expect(Promise.race([settled, Promise.resolve('waiting')])).resolves.toBe('waiting');
    await clock.advance(1);
    const error = await settled;
    expect(error).toBeInstanceOf(DispatchTimeoutError);
    expect(error).toMatchObject({ code: 'ERR_QUEUE_DISPATCH_TIMEOUT', outcome: 'unknown' });
    expect((error as Error).message).toContain('[own] connection did not take the job within 2000 ms');
    late!(new Error('too late'));
    await new Promise(setImmediate);
  });

  it('gives each call its own time though they share a timer', async () => {
    const clock = new FakeClock();
    const { connection } = connect(
      scripted(() => new Promise(() => {})),
      { dispatchTimeout: 2 },
      clock,
    );
    await connection.queue();
    const ends: string[] = [];
    const send = (name: string) => void connection.push([outgoing(entryOf())]).catch(() => ends.push(name));
    send('first');
    await clock.advance(1);
    send('second');
    await clock.advance('1300ms');
    expect(ends).toEqual(['first']);
    await clock.advance('1s');
    expect(ends).toEqual(['first', 'second']);
  });

  it('says that nothing was stored when the store could not even be made, and does not send later', async () => {
    const clock = new FakeClock();
    const sent: string[] = [];
    let make: ((factory: () => QueueDriver) => void) | undefined;
    const { manager } = openManager(
      { dispatchTimeout: 1 },
      { clock, drivers: { memory: () => new Promise((resolve) => (make = resolve)) } },
    );
    const pushed = manager.get('memory').push([outgoing(entryOf())]);
    const settled = pushed.catch((error: unknown) => error);
    await clock.advance(2);
    const error = await settled;
    expect(error).toBeInstanceOf(DispatchTimeoutError);
    expect((error as DispatchTimeoutError).outcome).toBeUndefined();
    make!(() =>
      scripted((entries) => {
        sent.push(...entries.map((one) => one.id));
        return Promise.resolve(entries.map(() => ({ stored: true })));
      }),
    );
    await new Promise(setImmediate);
    expect(sent).toEqual([]);
  });

  it('does not hold for jobs that run inside the push, which raise no queue events', async () => {
    const clock = new FakeClock();
    let finish: (() => void) | undefined;
    const { manager, hub } = openManager(
      { dispatchTimeout: 1 },
      { clock, run: () => new Promise((resolve) => (finish = resolve)) },
    );
    const heard: object[] = [];
    hub.onEvery((event) => heard.push(event));
    const pushed = manager.get('sync').push([outgoing(entryOf())]);
    await clock.advance(60);
    finish!();
    await expect(pushed).resolves.toEqual([{ stored: true }]);
    expect(heard).toEqual([]);
  });
});

describe('QueueConnection', () => {
  it('takes a raw body as it is, under its own uuid where it has one', async () => {
    const { manager, hub } = openManager();
    const connection = manager.get('memory');
    const heard: object[] = [];
    hub.onEvery((event) => heard.push(event));
    const uuid = '6f1c6c5e-6a3f-4d0b-9a53-0c6f3ab2a1f4';
    await expect(connection.pushRaw(JSON.stringify({ uuid, displayName: 'Raw' }), 'raw')).resolves.toBe(uuid);
    const fresh = await connection.pushRaw('not { JSON', 'raw');
    expect(fresh).toMatch(/^[0-9a-f-]{36}$/);
    await expect(connection.pushRaw('{"uuid":"../x"}', 'raw', { delay: 60 })).resolves.not.toBe('../x');
    expect(heard).toEqual([]);
    await expect(connection.size('raw')).resolves.toMatchObject({ pending: 2, delayed: 1, reserved: 0, total: 3 });
    const jobs = await connection.pendingJobs('raw');
    expect(jobs).toMatchObject([
      { id: uuid, queue: 'raw', name: 'Raw', attempts: 0, payload: { uuid, displayName: 'Raw' } },
      { id: fresh, name: '(unreadable)', payload: {} },
    ]);
    expect(jobs[0]!.createdAt).toBeInstanceOf(Date);
    await expect(connection.delayedJobs('raw')).resolves.toHaveLength(1);
    await expect(connection.pushRaw(7 as unknown as string)).rejects.toThrow(/pushRaw\(\) was given 7/);
    await expect(connection.pushRaw('{}', 'a b')).rejects.toMatchObject({ code: 'ERR_QUEUE_INVALID_QUEUE_NAME' });
  });

  it('lists by pages', async () => {
    const { manager } = openManager();
    const connection = manager.get('memory');
    const entries = Array.from({ length: 5 }, () => entryOf());
    await connection.pushEntries(entries);
    const ids = async (page: object) => (await connection.pendingJobs(undefined, page)).map((job) => job.id);
    await expect(ids({ limit: 2 })).resolves.toEqual([entries[0]!.id, entries[1]!.id]);
    await expect(ids({ limit: 2, page: 3 })).resolves.toEqual([entries[4]!.id]);
    await expect(ids({ limit: 2, page: 9 })).resolves.toEqual([]);
    await expect(ids({ page: 0 })).rejects.toThrow(/page\.page is 0/);
  });

  it('says what its store cannot do, and makes up no figures', async () => {
    const { connection } = connect(scripted(() => Promise.resolve([])));
    await expect(connection.size()).resolves.toEqual({
      pending: 2,
      delayed: undefined,
      reserved: undefined,
      total: 2,
      oldestPendingAt: undefined,
    });
    await expect(connection.clear()).rejects.toMatchObject({
      code: 'ERR_QUEUE_ABILITY_MISSING',
      driver: 'memory',
      ability: 'clearing',
    });
    await expect(connection.pendingJobs()).rejects.toMatchObject({ ability: 'inspection' });
    await expect(connection.pushWithin({}, [outgoing(entryOf())])).rejects.toMatchObject({ ability: 'transactions' });
  });

  it("pushes inside the caller's transaction, with events", async () => {
    const sent: unknown[] = [];
    const within = (manager: unknown) => ({
      push: async (entries: readonly PushEntry[]): Promise<readonly PushResult[]> => {
        sent.push([manager, entries[0]!.queue]);
        return entries.map(() => ({ stored: true }));
      },
    });
    const { connection, hub, manager } = connect(
      scripted(() => Promise.reject(new Error('outside')), { transactions: { within } }),
    );
    const heard: string[] = [];
    hub.onEvery((event) => heard.push(event.constructor.name));
    manager.routes.forward('default', 'moved');
    const one: Outgoing = outgoing(entryOf());
    await expect(connection.pushWithin('the manager', [one])).resolves.toEqual([{ stored: true }]);
    expect(sent).toEqual([['the manager', 'moved']]);
    expect(heard).toEqual(['JobQueueing', 'JobQueued']);
  });

  it('uses forwarded names for push, reserve, follow-ups, size and clear', async () => {
    const { manager } = openManager();
    const connection = manager.get('memory');
    manager.routes.forward('mails', 'letters');
    const driver = await connection.queue();
    await connection.push([outgoing(entryOf('{}', { queue: 'mails' }))]);
    await connection.pushRaw('{}', 'mails');
    await expect(connection.size('letters')).resolves.toMatchObject({ pending: 2 });
    await expect(connection.size('mails')).resolves.toMatchObject({ pending: 2 });
    const request = { queues: ['mails', 'letters'], limit: 1, leaseMs: 30_000, waitMs: 0, signal: never };
    const [job] = await driver.reserve(request);
    expect(job).toMatchObject({ queue: 'letters' });
    const follow = entryOf('{"follow":true}', { queue: 'mails' });
    const { settled, jobs } = await driver.exchange([{ kind: 'ack', job: job!, effects: { push: [follow] } }], {
      ...request,
      limit: 5,
    });
    expect(settled).toEqual([{ ok: true }]);
    expect(jobs.map((one) => one.queue)).toEqual(['letters', 'letters']);
    await expect(connection.clear('mails')).resolves.toBe(2);
  });
});
