import { describe, expect, it } from '@jest/globals';
import {
  QueueBusy,
  QueuePaused,
  QueueResumed,
  QueuesPaused,
  QueuesResumed,
} from '../../../lib/contracts/queue-events.js';
import { clearQueues } from '../../../lib/operations/clear-queue.js';
import { inspectJob, inspectQueue } from '../../../lib/operations/inspect-queue.js';
import { monitorQueues } from '../../../lib/operations/monitor-queues.js';
import {
  isQueuePaused,
  pauseAllQueues,
  pauseConnection,
  pausedQueues,
  pauseQueue,
} from '../../../lib/operations/pause-queue.js';
import { restartWorkers } from '../../../lib/operations/restart-workers.js';
import { resumeAllQueues, resumeConnection, resumeQueue } from '../../../lib/operations/resume-queue.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';
import { entryOf, openManager } from '../connections/open-manager.js';

function open() {
  const clock = new FakeClock();
  const opened = openManager({ default: 'memory' }, { clock });
  const heard: object[] = [];
  opened.hub.onEvery((event) => heard.push(event));
  const push = (queue: string, count: number, connection = 'memory', delayMs = 0) =>
    opened.manager
      .get(connection)
      .pushEntries(Array.from({ length: count }, () => entryOf('{"displayName":"Send"}', { queue, delayMs })));
  return { ...opened, clock, heard, push, services: { connections: opened.manager, hub: opened.hub } };
}

describe('clearing', () => {
  it('clears several queues, named as people name them', async () => {
    const { manager, push } = open();
    await push('high', 2);
    await push('low', 1);
    await push('kept', 1);
    await expect(clearQueues(manager, undefined, ' high, low,,high')).resolves.toEqual([
      { connection: 'memory', queue: 'high', cleared: 2 },
      { connection: 'memory', queue: 'low', cleared: 1 },
    ]);
    await expect(manager.get('memory').size('kept')).resolves.toMatchObject({ total: 1 });
  });

  it("clears the connection's own queue where none is named", async () => {
    const { manager, push } = open();
    await push('default', 3);
    await expect(clearQueues(manager, 'memory', [' '])).resolves.toEqual([
      { connection: 'memory', queue: 'default', cleared: 3 },
    ]);
    await expect(clearQueues(manager, 'sync')).rejects.toMatchObject({ code: 'ERR_QUEUE_ABILITY_MISSING' });
    await expect(clearQueues(manager, 'nope')).rejects.toMatchObject({ code: 'ERR_QUEUE_UNKNOWN_CONNECTION' });
  });
});

describe('inspecting', () => {
  it('lists by state, and finds one job in any queue', async () => {
    const { manager, push } = open();
    await push('mails', 2);
    await push('mails', 1, 'memory', 60_000);
    const driver = await manager.get('memory').queue();
    const [taken] = await driver.reserve({
      queues: ['mails'],
      limit: 1,
      leaseMs: 30_000,
      waitMs: 0,
      signal: new AbortController().signal,
    });
    await expect(inspectQueue(manager, { queue: 'mails' })).resolves.toMatchObject([{ name: 'Send', attempts: 0 }]);
    await expect(inspectQueue(manager, { queue: 'mails', state: 'delayed' })).resolves.toHaveLength(1);
    await expect(inspectQueue(manager, { queue: 'mails', state: 'reserved' })).resolves.toMatchObject([
      { id: taken!.id, attempts: 1 },
    ]);
    await expect(inspectQueue(manager, { queue: 'mails', limit: 1, page: 2 })).resolves.toEqual([]);
    await expect(inspectQueue(manager, { state: 'done' as 'pending' })).rejects.toThrow(
      'state is "done". Use pending, delayed or reserved.',
    );
    await expect(inspectJob(manager, taken!.id)).resolves.toMatchObject({ id: taken!.id, queue: 'mails' });
    await expect(inspectJob(manager, 'nope')).resolves.toBeNull();
  });
});

describe('pausing', () => {
  it('pauses one queue, for a time or until resumed', async () => {
    const { services, clock, heard } = open();
    const mails = { connection: 'memory', queue: 'mails' };
    await expect(isQueuePaused(services, mails)).resolves.toBe(false);
    await pauseQueue(services, mails, '90s');
    await expect(isQueuePaused(services, mails)).resolves.toBe(true);
    await expect(isQueuePaused(services, { connection: 'memory', queue: 'other' })).resolves.toBe(false);
    await expect(isQueuePaused(services, { connection: 'database', queue: 'mails' })).resolves.toBe(false);
    await clock.advance(90);
    await expect(isQueuePaused(services, mails)).resolves.toBe(false);
    await pauseQueue(services, mails);
    await clock.advance('7d');
    await expect(isQueuePaused(services, mails)).resolves.toBe(true);
    await resumeQueue(services, mails);
    await expect(isQueuePaused(services, mails)).resolves.toBe(false);
    expect(heard).toEqual([
      new QueuePaused('memory', 'mails', 90),
      new QueuePaused('memory', 'mails', null),
      new QueueResumed('memory', 'mails'),
    ]);
  });

  it('pauses all, and leaves single pauses alone', async () => {
    const { services, heard } = open();
    const mails = { connection: 'memory', queue: 'mails' };
    const other = { connection: 'database', queue: 'other' };
    await pauseQueue(services, mails);
    await pauseAllQueues(services);
    await expect(isQueuePaused(services, other)).resolves.toBe(true);
    await resumeAllQueues(services);
    await expect(isQueuePaused(services, other)).resolves.toBe(false);
    await expect(isQueuePaused(services, mails)).resolves.toBe(true);
    expect(heard.slice(1)).toEqual([new QueuesPaused(), new QueuesResumed()]);
  });

  it('pauses a whole connection, and leaves single pauses and other connections alone', async () => {
    const { services, clock, heard } = open();
    const paused = (connection: string) => pausedQueues(services, connection, ['mails', 'other']);
    await pauseQueue(services, { connection: 'memory', queue: 'mails' });
    await pauseConnection(services, 'memory');
    await expect(paused('memory')).resolves.toEqual(['mails', 'other']);
    await expect(paused('database')).resolves.toEqual([]);
    await resumeConnection(services, 'memory');
    await expect(paused('memory')).resolves.toEqual(['mails']);
    await pauseConnection(services, 'database', '5m');
    await expect(isQueuePaused(services, { connection: 'database', queue: 'any' })).resolves.toBe(true);
    await clock.advance('5m');
    await expect(paused('database')).resolves.toEqual([]);
    expect(heard.slice(1)).toEqual([
      new QueuePaused('memory', '*', null),
      new QueueResumed('memory', '*'),
      new QueuePaused('database', '*', 300),
    ]);
  });

  it('pauses all for a time', async () => {
    const { services, clock } = open();
    await pauseAllQueues(services, '10m');
    await expect(pausedQueues(services, 'database', ['a'])).resolves.toEqual(['a']);
    await clock.advance('10m');
    await expect(pausedQueues(services, 'database', ['a'])).resolves.toEqual([]);
    await expect(pauseAllQueues(services, -1)).rejects.toThrow(/ttl/);
  });

  it('refuses what is not there', async () => {
    const { services, heard } = open();
    await expect(pauseConnection(services, 'nope')).rejects.toMatchObject({ code: 'ERR_QUEUE_UNKNOWN_CONNECTION' });
    await expect(pauseQueue(services, { connection: 'memory', queue: '*' })).rejects.toMatchObject({
      code: 'ERR_QUEUE_INVALID_QUEUE_NAME',
    });
    await expect(pauseQueue(services, { connection: 'nope', queue: 'mails' })).rejects.toMatchObject({
      code: 'ERR_QUEUE_UNKNOWN_CONNECTION',
    });
    await expect(pauseQueue(services, { connection: 'memory', queue: 'a b' })).rejects.toMatchObject({
      code: 'ERR_QUEUE_INVALID_QUEUE_NAME',
    });
    await expect(pauseQueue(services, { connection: 'memory', queue: 'a' }, 0)).rejects.toThrow(/ttl is 0/);
    await expect(resumeQueue(services, { connection: 'nope', queue: 'mails' })).rejects.toMatchObject({
      code: 'ERR_QUEUE_UNKNOWN_CONNECTION',
    });
    expect(heard).toEqual([]);
  });
});

describe('restarting', () => {
  it('leaves another mark each time', async () => {
    const { manager } = open();
    const control = await manager.control();
    const mark = async () => (await control.read('memory', [])).restart;
    await expect(mark()).resolves.toBeUndefined();
    await restartWorkers(manager);
    const first = await mark();
    await restartWorkers(manager);
    expect(first).toBeDefined();
    expect(await mark()).not.toBe(first);
  });

  it('leaves a mark for one connection, or for one of its queues, and none for others', async () => {
    const { manager } = open();
    const control = await manager.control();
    const mark = async (connection: string, queue: string) => (await control.read(connection, [queue, '*'])).restart;
    await restartWorkers(manager, { queue: 'mails' });
    await restartWorkers(manager, { connection: 'database' });
    expect([await mark('memory', 'mails'), await mark('database', 'any')]).toEqual([
      expect.any(String),
      expect.any(String),
    ]);
    await expect(mark('memory', 'other')).resolves.toBeUndefined();
    await expect(restartWorkers(manager, { connection: 'nope' })).rejects.toMatchObject({
      code: 'ERR_QUEUE_UNKNOWN_CONNECTION',
    });
  });
});

describe('monitoring', () => {
  it('tells sizes in the order asked for and raises QueueBusy from the limit on', async () => {
    const { services, push, heard } = open();
    await push('mails', 2);
    await push('mails', 1, 'memory', 60_000);
    await push('reports', 2, 'database');
    const monitored = await monitorQueues(services, ['mails', 'database:reports', 'memory:', 'mails'], 3);
    expect(monitored).toMatchObject([
      {
        connection: 'memory',
        queue: 'mails',
        pending: 2,
        delayed: 1,
        reserved: 0,
        total: 3,
        oldestPendingAt: expect.any(Date),
      },
      { connection: 'database', queue: 'reports', total: 2 },
      { connection: 'memory', queue: 'default', total: 0 },
      { connection: 'memory', queue: 'mails', total: 3 },
    ]);
    expect(heard).toEqual([new QueueBusy('memory', 'mails', 3)]);
    await expect(monitorQueues(services, ['nope:mails'])).rejects.toMatchObject({
      code: 'ERR_QUEUE_UNKNOWN_CONNECTION',
    });
    await expect(monitorQueues(services, ['mails'], 0)).rejects.toThrow(/max is 0/);
  });
});
