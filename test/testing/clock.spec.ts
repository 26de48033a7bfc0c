import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Job, Queueable, QueueManager, WorkerService } from 'nestjs-queue';
import { ClockNotDrivenError, drain, FakeClock, queueSpy, useClock } from 'nestjs-queue/testing';
import { systemClock } from '../../lib/support/clock.js';
import { SteeredClock } from '../../lib/support/steered-clock.js';
import { closeModules, moduleOn, STORES } from './drain-module.js';

let ran = 0;
@Job()
class Tick extends Queueable {
  handle(): void {
    ran += 1;
  }
}

beforeEach(() => {
  ran = 0;
});
afterEach(closeModules);

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe('SteeredClock', () => {
  it('goes by the system until it is told otherwise, and its counter never jumps', async () => {
    const clock = new SteeredClock();
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1_000);
    expect(Math.abs(clock.elapsed() - systemClock.elapsed())).toBeLessThan(1_000);
    const before = clock.elapsed();
    const fake = new FakeClock(5);
    clock.follow(fake);
    const after = clock.elapsed();
    expect(after - before).toBeLessThan(1_000);
    expect(clock.now()).toBe(5);
    await fake.advance(2);
    expect([clock.now(), clock.elapsed() - after]).toEqual([2_005, 2_000]);
    clock.follow(new FakeClock(0));
    expect(clock.elapsed() - after).toBe(2_000);
  });

  it('leaves what waits on the system clock there, and takes along what waits on one that somebody moves', async () => {
    const clock = new SteeredClock();
    const fired: string[] = [];
    const system = new Promise<void>((resolve) => clock.after(5, resolve));
    const [one, two] = [new FakeClock(0), new FakeClock(9)];
    clock.follow(one);
    clock.after(10_000, () => fired.push('late'));
    clock.after(1_000, () => fired.push('off'))();
    clock.after(1_000, () => fired.push('early'));
    await one.advance(4);
    clock.follow(two);
    clock.follow(two);
    await one.advance(60);
    expect(fired).toEqual(['early']);
    await two.advance(5);
    expect(fired).toEqual(['early']);
    await two.advance(1);
    expect(fired).toEqual(['early', 'late']);
    // By itself, whatever was followed meanwhile.
    await system;
  });
});

describe('FakeClock.advanceTo', () => {
  it('moves to a moment, and never back', async () => {
    const clock = new FakeClock(1_000);
    const fired: number[] = [];
    clock.after(500, () => fired.push(clock.now()));
    await clock.advanceTo(new Date(3_000));
    await clock.advanceTo(2_000);
    expect([clock.now(), fired]).toEqual([3_000, [1_500]]);
    expect(() => clock.advanceTo(Number.NaN)).toThrow('advanceTo()');
    expect(() => clock.advanceTo(new Date('never'))).toThrow('advanceTo()');
  });
});

describe.each(STORES)('useClock on %s', (store) => {
  it('moves a worker that runs', async () => {
    const { moduleRef, bus } = await moduleOn(store, [Tick], { worker: { watchdog: false } });
    await moduleRef.init();
    const spy = queueSpy(moduleRef);
    await bus.dispatch(new Tick());
    await spy.waitFor(Tick, 'processed');
    const clock = new FakeClock();
    useClock(moduleRef, clock);
    await bus.dispatch(new Tick()).delay('1h');
    await turn();
    expect(ran).toBe(1);
    await clock.advance('59m');
    expect(ran).toBe(1);
    await clock.advance('61s');
    await spy.waitFor(Tick, 'processed', { where: () => ran === 2 });
    expect(ran).toBe(2);
    expect(moduleRef.get(WorkerService).status()).toHaveLength(1);
  });

  it('holds for what looks at the queue', async () => {
    const { moduleRef, bus } = await moduleOn(store, [Tick]);
    const clock = new FakeClock(Date.UTC(2040, 0));
    useClock(moduleRef, clock);
    await bus.dispatch(new Tick()).delay(30);
    const connection = moduleRef.get(QueueManager).connection();
    expect(await connection.size()).toMatchObject({ pending: 0, delayed: 1 });
    await clock.advance(30);
    expect(await connection.size()).toMatchObject({ pending: 1, oldestPendingAt: new Date(clock.now()) });
  });
});

describe('a clock that cannot be moved', () => {
  it('is refused by name', async () => {
    const { moduleRef } = await moduleOn('memory', [Tick], {
      connections: {
        redis: { driver: 'redis', url: 'redis://127.0.0.1:1' },
        pg: { driver: 'database', dataSource: { type: 'postgres', url: 'postgres://127.0.0.1:1/none' } },
      },
    });
    const clock = new FakeClock();
    for (const [connection, store] of [
      ['redis', 'redis'],
      ['pg', 'postgres'],
    ]) {
      await expect(drain(moduleRef, { connection: connection!, clock })).rejects.toThrow(
        `A FakeClock cannot move the time of the [${connection}] connection: ${store} goes by its server's clock.`,
      );
      await expect(drain(moduleRef, { connection: connection!, clock })).rejects.toBeInstanceOf(ClockNotDrivenError);
    }
  });

  it('is that of a module which was made before the kit was loaded', () => {
    const moduleRef = { get: () => ({ connections: { clock: systemClock } }), init: () => Promise.resolve() };
    expect(() => useClock(moduleRef as never, new FakeClock())).toThrow('before nestjs-queue/testing was loaded');
  });
});
