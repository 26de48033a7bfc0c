import { describe, expect, it } from '@jest/globals';
import type { ReservedJob } from '../../../lib/contracts/queue-driver.js';
import { deferred } from '../../../lib/support/deferred.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';
import { Heartbeat } from '../../../lib/worker/heartbeat.js';
import { JobDeadlines } from '../../../lib/worker/job-deadlines.js';
import type { AttemptEnd, RunningAttempt } from '../../../lib/worker/running-attempt.js';
import { Slots } from '../../../lib/worker/slots.js';

const job = (id: string): ReservedJob => ({ id, queue: 'default' }) as ReservedJob;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function open(size: number, prefetch = 0, restMs = 0) {
  const clock = new FakeClock(0);
  const began: string[] = [];
  const aborted: string[] = [];
  const renewed: string[][] = [];
  const ends = new Map<string, (kind?: 'done' | 'failed') => void>();
  const finishing = new Map<string, ReturnType<typeof deferred<void>>>();
  let changes = 0;
  const heartbeat = new Heartbeat(
    {
      renew: (jobs) => {
        renewed.push(jobs.map(({ id }) => id));
        return Promise.resolve(
          jobs.map(({ id }) => (id.startsWith('lost') ? { ok: false, reason: 'cancelled' } : { ok: true })),
        );
      },
    },
    30_000,
    clock,
    () => {},
  );
  const slots = new Slots(
    size,
    prefetch,
    restMs,
    clock,
    heartbeat,
    new JobDeadlines(0, clock),
    ({ id }) => {
      const end = deferred<AttemptEnd>();
      ends.set(id, (kind = 'done') => end.resolve({ outcome: { kind } } as AttemptEnd));
      const context = { id, displayName: id, abort: () => void aborted.push(id) };
      return { deadline: Infinity, ended: end.promise, context } as unknown as RunningAttempt;
    },
    ({ context }) => void began.push(context.id),
    (_end, { id }, answered) => {
      const finish = deferred();
      finishing.set(id, finish);
      return finish.promise.then(answered);
    },
    () => void (changes += 1),
  );
  return { slots, clock, began, aborted, renewed, ends, finishing, changes: () => changes };
}

describe('Slots', () => {
  it('runs as many as there are slots; the prefetched wait behind them, in order', async () => {
    const { slots, began, ends } = open(2, 2);
    expect(slots.room).toBe(4);
    slots.add([job('a'), job('b'), job('c'), job('d')]);
    expect([began, slots.room, slots.running, slots.waiting]).toEqual([['a', 'b'], 0, 2, 2]);
    ends.get('b')!();
    await settled();
    expect([began, slots.room, slots.waiting]).toEqual([['a', 'b', 'c'], 1, 1]);
  });

  it('a slot is free as soon as its handler is over, though its ack is still on the way', async () => {
    const { slots, ends, finishing, changes } = open(1);
    slots.add([job('a')]);
    ends.get('a')!();
    await settled();
    expect([slots.room, slots.running, slots.empty, changes()]).toEqual([1, 0, false, 1]);
    finishing.get('a')!.resolve();
    await settled();
    expect([slots.empty, changes()]).toEqual([true, 2]);
  });

  it('a failed job keeps its slot until what follows is done', async () => {
    const { slots, ends, finishing } = open(1);
    slots.add([job('a')]);
    ends.get('a')!('failed');
    await settled();
    expect(slots.room).toBe(0);
    finishing.get('a')!.resolve();
    await settled();
    expect([slots.room, slots.empty]).toEqual([1, true]);
  });

  it('a slot that rests is not free, but nothing runs in it', async () => {
    const { slots, clock, ends, finishing } = open(1, 0, 5_000);
    slots.add([job('a')]);
    ends.get('a')!();
    await settled();
    finishing.get('a')!.resolve();
    await settled();
    expect([slots.room, slots.running, slots.empty]).toEqual([0, 0, true]);
    await clock.advance(5);
    expect(slots.room).toBe(1);
  });

  it('renews those that run and those that wait, until the store has answered', async () => {
    const { slots, clock, renewed, ends, finishing } = open(1, 1);
    slots.add([job('a'), job('b')]);
    await clock.advance(10);
    ends.get('a')!('failed');
    await clock.advance(10);
    finishing.get('a')!.resolve();
    await clock.advance(10);
    expect(renewed).toEqual([['a', 'b'], ['a', 'b'], ['b']]);
  });

  it('drops a waiting one whose lease is gone, and aborts a running one', async () => {
    const { slots, clock, began, aborted, ends } = open(1, 1);
    slots.add([job('lost 1'), job('lost 2')]);
    await clock.advance(10);
    expect(aborted).toEqual(['lost 1']);
    expect(slots.waiting).toBe(0);
    ends.get('lost 1')!();
    await settled();
    expect(began).toEqual(['lost 1']);
  });

  it('held: what waits gets no slot, and can be taken back', async () => {
    const { slots, began, ends, renewed, clock } = open(1, 2);
    slots.add([job('a'), job('b')]);
    slots.hold();
    ends.get('a')!();
    await settled();
    slots.add([job('c')]);
    expect(began).toEqual(['a']);
    expect(slots.takeWaiting().map(({ id }) => id)).toEqual(['b', 'c']);
    await clock.advance(10);
    expect(renewed).toEqual([['a']]);
  });
});
