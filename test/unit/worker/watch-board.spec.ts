import fc from 'fast-check';
import { describe, expect, it } from '@jest/globals';
import { WatchBoard } from '../../../lib/worker/watch-board.js';

const attempt = { displayName: 'SendMail', deadline: 5_000, timeoutMs: 4_000, delayMs: 70, hasMemo: false };

/** The worker's side, and the thread's on the same memory. */
function open(capacity = 3): { worker: WatchBoard; thread: WatchBoard } {
  const worker = WatchBoard.of(capacity);
  return { worker, thread: new WatchBoard(worker.memory) };
}

describe('the watch board', () => {
  it('shows a reservation to the other side from its hold to its end', () => {
    const { worker, thread } = open();
    expect(thread.rows()).toEqual([]);
    const place = worker.hold('id-1', 'token-1', 10, 'mails')!;
    expect(thread.rows()).toMatchObject([
      { place, id: 'id-1', token: 'token-1', displayName: '', running: false, deadline: Infinity },
    ]);
    const version = worker.start(place, attempt);
    expect(thread.rows()).toEqual([
      { place, version, id: 'id-1', queue: 'mails', token: 'token-1', running: true, ...attempt },
    ]);
    worker.over(place);
    expect(thread.rows()).toMatchObject([{ id: 'id-1', running: false, deadline: Infinity }]);
    worker.clear(place);
    expect(thread.rows()).toEqual([]);
  });

  it('tells a reservation from the one before it at the same place', () => {
    const { worker, thread } = open(1);
    const place = worker.hold('a', 'a', 0)!;
    const [before] = thread.rows();
    worker.clear(place);
    expect(worker.hold('b', 'b', 100)).toBe(place);
    expect(thread.rows()[0]!.version).not.toBe(before!.version);
    // A renewal that was on its way meanwhile is not this one's.
    thread.renewed(before!, 50);
    expect(worker.renewedAt(place)).toBe(100);
    thread.renewed(thread.rows()[0]!, 150);
    expect(worker.renewedAt(place)).toBe(150);
  });

  it('has no place for one too many, and has it again when another is over', () => {
    const { worker } = open(2);
    const first = worker.hold('1', 't', 0);
    worker.hold('2', 't', 0);
    expect(worker.hold('3', 't', 0)).toBeUndefined();
    worker.clear(first!);
    expect(worker.hold('3', 't', 0)).toBe(first);
  });

  it.each([
    ['too long', 'x'.repeat(300)],
    ['not of one byte a character', 'id-\u{1F40C}'],
    ['with a line break', 'id\n'],
  ])('leaves an id that is %s to the worker', (_, id) => {
    const { worker, thread } = open();
    expect(worker.hold(id, 'token', 0)).toBeUndefined();
    expect(thread.rows()).toEqual([]);
    expect(worker.hold('fits', 'token', 0)).toBeDefined();
  });

  it('cuts a long name, and takes any', () => {
    const { worker, thread } = open();
    const place = worker.hold('i'.repeat(64), 't'.repeat(64), 0)!;
    worker.start(place, { ...attempt, displayName: 'Long'.repeat(100) });
    expect(thread.rows()[0]).toMatchObject({
      id: 'i'.repeat(64),
      token: 't'.repeat(64),
      displayName: 'Long'.repeat(16),
    });
    worker.start(place, { ...attempt, displayName: 'Größe\u{1F40C}' });
    expect(thread.rows()[0]!.displayName).toContain('Gr');
    expect(thread.rows()[0]).toMatchObject({ id: 'i'.repeat(64), token: 't'.repeat(64) });
  });

  it('shares the beat', () => {
    const { worker, thread } = open();
    worker.beat = 1_234.5;
    expect(thread.beat).toBe(1_234.5);
  });

  it('shows exactly what is held, whatever comes and goes', () => {
    const step = fc.tuple(fc.constantFrom('hold', 'start', 'over', 'clear'), fc.nat(20));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { worker, thread } = open(4);
        const held = new Map<number, { id: string; running: boolean }>();
        let refused = 0;
        let full = 0;
        steps.forEach(([what, at], number) => {
          const places = [...held.keys()];
          const place = places[at % Math.max(1, places.length)];
          if (what === 'hold') {
            const taken = worker.hold(`job-${number}`, `token-${number}`, 0);
            if (held.size === 4) full += 1;
            if (taken === undefined) refused += 1;
            else held.set(taken, { id: `job-${number}`, running: false });
          } else if (place !== undefined) {
            if (what === 'start') worker.start(place, attempt);
            if (what === 'over') worker.over(place);
            if (what === 'clear') worker.clear(place);
            if (what === 'clear') held.delete(place);
            else held.get(place)!.running = what === 'start';
          }
        });
        expect(refused).toBe(full);
        const shown = thread.rows().map(({ place, id, running }) => [place, { id, running }]);
        expect(new Map(shown as [number, { id: string; running: boolean }][])).toEqual(held);
      }),
    );
  });
});
