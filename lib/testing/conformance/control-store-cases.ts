import assert from 'node:assert/strict';
import { EVERY_QUEUE, type ControlStore } from '../../contracts/control-store.js';
import { all, reopened, sharing, type ConformanceCase, type Harness, type Requirement } from './conformance-case.js';
import { present } from './queue-probe.js';

const controlStore: Requirement = (backend) => (backend.control ? undefined : 'the backend has no control store');
const on = (queue: string, connection = 'database') => ({ connection, queue });

/** What every control store must do. */
export const controlStoreCases: readonly ConformanceCase[] = [
  controlCase('without marks nothing is paused and there is no restart', async (control) => {
    const marks = await control.read('database', ['a', 'b']);
    assert.deepEqual([marks.restart, marks.allPaused, marks.paused], [undefined, false, []]);
    assert.deepEqual((await control.read('database', [])).paused, []);
  }),

  controlCase('a paused queue is named where it is asked for', async (control) => {
    await control.pause(on('b'));
    await control.pause(on('c'));
    await control.pause(on('a', 'redis'));
    assert.deepEqual([...(await control.read('database', ['a', 'b', 'c'])).paused].sort(), ['b', 'c']);
    assert.deepEqual((await control.read('database', ['a', 'b'])).paused, ['b']);
    assert.deepEqual((await control.read('redis', ['a', 'b'])).paused, ['a']);
    assert.equal((await control.read('database', ['b'])).allPaused, false);
  }),

  controlCase('a pause is taken back by resume, and twice is once', async (control) => {
    await control.pause(on('a'));
    await control.pause(on('a'));
    await control.resume(on('b'));
    await control.resume(on('a', 'redis'));
    assert.deepEqual((await control.read('database', ['a'])).paused, ['a']);
    await control.resume(on('a'));
    assert.deepEqual((await control.read('database', ['a'])).paused, []);
  }),

  controlCase('a pause of all leaves single pauses as they are', async (control) => {
    await control.pause(on('a'));
    await control.pause('all');
    const both = await control.read('database', ['a', 'b']);
    assert.deepEqual([both.allPaused, both.paused], [true, ['a']]);
    assert.equal((await control.read('redis', ['x'])).allPaused, true);
    await control.resume('all');
    const one = await control.read('database', ['a', 'b']);
    assert.deepEqual([one.allPaused, one.paused], [false, ['a']]);
    await control.pause('all');
    await control.resume(on('a'));
    const whole = await control.read('database', ['a', 'b']);
    assert.deepEqual([whole.allPaused, whole.paused], [true, []]);
  }),

  controlCase('a pause with a time ends by itself', async (control, harness) => {
    await control.pause(on('a'), 400);
    await control.pause('all', 400);
    const before = await control.read('database', ['a']);
    assert.deepEqual([before.allPaused, before.paused], [true, ['a']]);
    await harness.advance(600);
    const after = await control.read('database', ['a']);
    assert.deepEqual([after.allPaused, after.paused], [false, []]);
  }),

  controlCase('a later pause replaces the time of an earlier one', async (control, harness) => {
    await control.pause(on('longer'), 300);
    await control.pause(on('longer'), 60_000);
    await control.pause(on('forever'), 300);
    await control.pause(on('forever'));
    await control.pause(on('shorter'));
    await control.pause(on('shorter'), 300);
    await harness.advance(500);
    const { paused } = await control.read('database', ['longer', 'forever', 'shorter']);
    assert.deepEqual([...paused].sort(), ['forever', 'longer']);
  }),

  controlCase('the restart mark is the last one left, for every connection', async (control) => {
    await control.restart('mark-1');
    assert.equal((await control.read('database', ['a'])).restart, 'mark-1');
    await control.restart("mark-2 '🎉'");
    assert.equal((await control.read('database', [])).restart, "mark-2 '🎉'");
    assert.equal((await control.read('redis', ['a'])).restart, "mark-2 '🎉'");
    await control.resume('all');
    assert.equal((await control.read('redis', ['a'])).restart, "mark-2 '🎉'");
  }),

  controlCase('a restart of one queue, or of one connection, is a mark for those alone', async (control) => {
    const marks = async (connection: string, ...queues: string[]) =>
      (await control.read(connection, [...queues, EVERY_QUEUE])).restart;
    await control.restart('mark-a', on('a'));
    assert.equal(await marks('database', 'b', 'a'), 'mark-a');
    assert.deepEqual([await marks('database', 'b'), await marks('redis', 'a')], [undefined, undefined]);
    await control.restart('mark-redis', on(EVERY_QUEUE, 'redis'));
    assert.deepEqual([await marks('redis', 'a'), await marks('redis', 'b')], ['mark-redis', 'mark-redis']);
    assert.equal(await marks('database', 'b'), undefined);
    await control.restart('mark-all');
    await control.restart('mark-again', on('a'));
    assert.equal(await marks('database', 'b', 'a'), 'mark-all\nmark-again');
    assert.equal(await marks('redis', 'a'), 'mark-all\nmark-redis');
    assert.equal((await control.read('database', [])).restart, 'mark-all');
  }),

  controlCase('a pause of a whole connection is kept beside those of its queues', async (control, harness) => {
    await control.pause(on('a'));
    await control.pause(on(EVERY_QUEUE), 400);
    const both = await control.read('database', ['a', 'b', EVERY_QUEUE]);
    assert.deepEqual([both.allPaused, both.paused], [false, ['a', EVERY_QUEUE]]);
    assert.deepEqual((await control.read('redis', ['a', EVERY_QUEUE])).paused, []);
    await harness.advance(600);
    assert.deepEqual((await control.read('database', ['a', EVERY_QUEUE])).paused, ['a']);
    await control.pause(on(EVERY_QUEUE));
    await control.resume(on('a'));
    assert.deepEqual((await control.read('database', ['a', EVERY_QUEUE])).paused, [EVERY_QUEUE]);
    await control.resume(on(EVERY_QUEUE));
    assert.deepEqual((await control.read('database', ['a', EVERY_QUEUE])).paused, []);
  }),

  controlCase('names that look like parts of the store are kept apart', async (control) => {
    const pairs = [
      on('b', 'a'),
      on('a:b', 'a'),
      on('b', 'a:a'),
      on('all', 'all'),
      on('restart', 'database'),
      on('{a}', 'a'),
    ];
    for (const pair of pairs) await control.pause(pair);
    for (const { connection, queue } of pairs) {
      assert.deepEqual((await control.read(connection, [queue])).paused, [queue]);
    }
    const marks = await control.read('a', ['a', 'all', 'restart', EVERY_QUEUE]);
    assert.deepEqual([marks.paused, marks.allPaused, marks.restart], [[], false, undefined]);
    await control.resume(pairs[1]!);
    assert.deepEqual((await control.read('a:a', ['b'])).paused, ['b']);
  }),

  controlCase(
    'what one handle marks another sees',
    async (control, harness) => {
      const other = present((await reopened(harness)).control, 'control store');
      await control.pause(on('a'));
      await control.restart('mark');
      const marks = await other.read('database', ['a']);
      assert.deepEqual([marks.paused, marks.restart], [['a'], 'mark']);
      await other.resume(on('a'));
      assert.deepEqual((await control.read('database', ['a'])).paused, []);
    },
    sharing,
  ),
];

function controlCase(
  name: string,
  run: (control: ControlStore, harness: Harness) => Promise<void>,
  ...requirements: readonly Requirement[]
): ConformanceCase {
  return {
    name,
    needs: all([controlStore, ...requirements]),
    run: (backend, harness) => run(present(backend.control, 'control store'), harness),
  };
}
