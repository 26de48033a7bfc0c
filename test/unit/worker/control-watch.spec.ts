import { describe, expect, it } from '@jest/globals';
import { EventHub } from '../../../lib/connections/event-hub.js';
import type { ControlMarks, ControlStore } from '../../../lib/contracts/control-store.js';
import {
  QueuePaused,
  QueuesResumed,
  WorkerQueuePaused,
  WorkerQueueResumed,
} from '../../../lib/contracts/queue-events.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';
import { ControlWatch } from '../../../lib/worker/control-watch.js';

/** Nothing is forwarded. */
const memory = { name: 'memory', queueName: (queue: string) => queue };

function open(connection = memory) {
  const clock = new FakeClock(0);
  const hub = new EventHub(() => {});
  const state: { marks: ControlMarks; reads: number; changes: number; asked?: readonly string[] } = {
    marks: { allPaused: false, paused: [] },
    reads: 0,
    changes: 0,
  };
  const store = {
    read: (_connection: string, queues: readonly string[]) => {
      state.reads += 1;
      state.asked = queues;
      return Promise.resolve(state.marks);
    },
  } as unknown as ControlStore;
  const reports: string[] = [];
  const report = (message: string): void => void reports.push(message);
  const events: object[] = [];
  for (const type of [WorkerQueuePaused, WorkerQueueResumed]) hub.on(type, (event) => void events.push(event));
  const watch = new ControlWatch(
    store,
    connection,
    ['high', 'low'],
    3_000,
    clock,
    hub,
    report,
    () => void (state.changes += 1),
  );
  return { clock, hub, state, watch, events, reports, store };
}

describe('ControlWatch', () => {
  it('asks at once, then at most once an interval', async () => {
    const { clock, watch } = open();
    expect(watch.due).toBe(true);
    await watch.look();
    expect(watch.due).toBe(false);
    await clock.advance(2.9);
    expect(watch.due).toBe(false);
    await clock.advance(0.2);
    expect(watch.due).toBe(true);
  });

  it('asks at once after a pause or resume by this process, and says so', async () => {
    const { hub, watch, state } = open();
    await watch.look();
    hub.emit(new QueuePaused('memory', 'high', null));
    expect(watch.due).toBe(true);
    expect(state.changes).toBe(1);
    await watch.look();
    watch.stop();
    hub.emit(new QueuesResumed());
    expect(watch.due).toBe(false);
    expect(state.changes).toBe(1);
  });

  it('closes paused queues, and tells each change once', async () => {
    const { watch, state, events } = open();
    expect(watch.open).toEqual(['high', 'low']);
    state.marks = { allPaused: false, paused: ['high'] };
    await watch.look();
    await watch.look();
    expect(watch.open).toEqual(['low']);
    state.marks = { allPaused: true, paused: ['low'] };
    await watch.look();
    // A pause of all is told of each of them, by its worker's lines too.
    expect(watch.open).toEqual([]);
    expect(watch.allPaused).toBe(true);
    state.marks = { allPaused: false, paused: ['low'] };
    await watch.look();
    expect(watch.open).toEqual(['high']);
    expect(events.map((one) => [one.constructor.name, (one as WorkerQueuePaused).queue])).toEqual([
      ['WorkerQueuePaused', 'high'],
      ['WorkerQueuePaused', 'low'],
      ['WorkerQueueResumed', 'high'],
    ]);
  });

  it.each([
    [undefined, 'a', true],
    ['a', 'a', false],
    ['a', 'b', true],
    ['b', 'a', true],
    // The store was emptied.
    ['a', undefined, false],
    [undefined, undefined, false],
    // For all, and for one of its queues.
    ['a\nb', 'a', false],
    ['a\nb', 'b\na', false],
    ['a\nb', 'a\nc', true],
    ['a', 'a\nb', true],
  ])('a mark of %p at the start and %p now: restarted %p', async (first, now, restarted) => {
    const { watch, state } = open();
    const marks = (restart?: string): ControlMarks => ({ allPaused: false, paused: [], ...(restart && { restart }) });
    state.marks = marks(first);
    expect(watch.restarted).toBe(false);
    await watch.look();
    expect(watch.restarted).toBe(false);
    state.marks = marks(now);
    await watch.look();
    expect(watch.restarted).toBe(restarted);
  });

  it('goes by what it knew where the marks cannot be read', async () => {
    const { watch, state, reports, store, clock } = open();
    state.marks = { allPaused: false, paused: ['high'] };
    await watch.look();
    Object.assign(store, { read: () => Promise.reject(new Error('down')) });
    await clock.advance(3);
    await watch.look();
    expect([watch.open, watch.due, reports.length]).toEqual([['low'], false, 1]);
  });

  it('without a store everything is open and nothing is due', async () => {
    const { hub, clock } = open();
    const watch = new ControlWatch(
      undefined,
      memory,
      ['a'],
      1,
      clock,
      hub,
      () => {},
      () => {},
    );
    await watch.look();
    expect([watch.due, watch.restarted, watch.allPaused, watch.open]).toEqual([false, false, false, ['a']]);
  });

  it('closes every queue with their connection', async () => {
    const { watch, state, events } = open();
    state.marks = { allPaused: false, paused: ['low', '*'] };
    await watch.look();
    expect([watch.open, watch.allPaused]).toEqual([[], false]);
    expect(events).toEqual([new WorkerQueuePaused('memory', 'high'), new WorkerQueuePaused('memory', 'low')]);
    state.marks = { allPaused: false, paused: ['low'] };
    await watch.look();
    expect(watch.open).toEqual(['high']);
    expect(events.slice(2)).toEqual([new WorkerQueueResumed('memory', 'high')]);
  });

  it('looks for the marks of a forwarded queue under the name that it really has', async () => {
    const names = new Map([
      ['high', 'urgent'],
      ['low', 'urgent'],
    ]);
    const { watch, state, events } = open({
      name: 'memory',
      queueName: (queue) => names.get(queue) ?? queue,
    });
    state.marks = { allPaused: false, paused: ['urgent'] };
    await watch.look();
    expect(state.asked).toEqual(['urgent', '*']);
    expect(watch.open).toEqual([]);
    expect(events).toEqual([new WorkerQueuePaused('memory', 'high'), new WorkerQueuePaused('memory', 'low')]);
    names.delete('low');
    await watch.look();
    expect(state.asked).toEqual(['urgent', 'low', '*']);
    expect(watch.open).toEqual(['low']);
  });
});
