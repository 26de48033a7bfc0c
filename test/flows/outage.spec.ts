import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Job, JobProcessed, Queueable, Tries } from 'nestjs-queue';
import { BrittleStore } from './brittle-store.js';
import { closeApps, openApp, sleep, until, type Opened } from './open-app.js';

let ran: number[] = [];
let aborted: unknown[] = [];

@Job()
@Tries(2)
class Numbered extends Queueable {
  constructor(
    readonly number: number,
    readonly ms = 0,
  ) {
    super();
  }
  async handle() {
    this.signal.addEventListener('abort', () => aborted.push(this.signal.reason));
    ran.push(this.number);
    await sleep(this.ms);
  }
}

describe('a store that goes away', () => {
  let store: BrittleStore;
  let at: Opened;
  beforeEach(async () => {
    ran = [];
    aborted = [];
    store = new BrittleStore();
    at = await openApp('memory', {
      providers: [Numbered],
      options: {
        default: 'brittle',
        connections: { brittle: { driver: 'brittle', retryAfter: '1s' } as never },
        drivers: { brittle: () => store.backend },
      },
    });
  });
  afterEach(closeApps);
  const processed = (): number => at.seen.filter((one) => one instanceof JobProcessed).length;

  it('and comes back: the worker goes on by itself', async () => {
    const work = at.workers.work({ sleep: '20ms' });
    await at.bus.dispatch(new Numbered(1));
    await until(() => processed() >= 1);
    for (const verb of ['reserve', 'exchange', 'settle', 'read', 'renew']) store.down.add(verb);
    // The look that was under way when it went is over.
    await sleep(40);
    await at.bus.dispatch(new Numbered(2));
    await sleep(250);
    expect(ran).toEqual([1]);
    // With a back-off, not in a circle.
    expect(store.calls.get('reserve')!).toBeLessThan(30);
    store.down.clear();
    await until(() => processed() >= 2, 'the second job');
    await at.workers.stop();
    expect(await work).toBe('interrupted');
  });

  it('while a job ends: what came of it is not lost, and it does not run again', async () => {
    const work = at.workers.work({ sleep: '20ms', concurrency: 2 });
    await at.bus.bulk([new Numbered(1, 60), new Numbered(2, 60)]);
    await until(() => ran.length >= 2);
    store.down.add('settle').add('exchange').add('reserve');
    await sleep(300);
    expect(processed()).toBe(0);
    store.down.clear();
    await until(() => processed() >= 2, 'the acks');
    await at.workers.stop();
    await work;
    expect(ran).toEqual([1, 2]);
    expect(await at.manager.connection().size()).toMatchObject({ total: 0 });
  });

  it('as its renewals do: the job is given up before the store gives it to another', async () => {
    store.down.add('renew');
    await at.bus.dispatch(new Numbered(1, 1_300));
    const before = Date.now();
    const work = at.workers.work({ sleep: '20ms', maxJobs: 1 });
    await until(() => aborted.length > 0, 'the abort');
    expect(Date.now() - before).toBeGreaterThanOrEqual(850);
    expect(Date.now() - before).toBeLessThan(1_250);
    expect(aborted[0]).toMatchObject({ code: 'ERR_QUEUE_LEASE_LOST', reason: 'lease-lost' });
    await work;
  });

  it('with stopOnLostConnection: the worker ends', async () => {
    const work = at.workers.work({ sleep: '20ms', stopOnLostConnection: true });
    await at.bus.dispatch(new Numbered(1));
    await until(() => processed() >= 1);
    store.down.add('reserve').add('exchange');
    expect(await work).toBe('lost_connection');
  });

  it('before the worker has begun: it waits for it, and can be told to stop', async () => {
    store.down.add('reserve').add('read');
    const work = at.workers.work({ sleep: '20ms' });
    await sleep(80);
    const before = Date.now();
    await at.workers.stop();
    expect(await work).toBe('interrupted');
    expect(Date.now() - before).toBeLessThan(2_000);
  });

  it('for good while the worker ends: the end does not wait for it for ever', async () => {
    const work = at.workers.work({ sleep: '20ms', grace: '50ms' });
    await at.bus.dispatch(new Numbered(1, 60));
    await until(() => ran.length >= 1);
    store.down.add('settle').add('exchange').add('reserve');
    const before = Date.now();
    setTimeout(() => void at.workers.force(), 200);
    await at.workers.stop();
    expect(await work).toBe('interrupted');
    expect(Date.now() - before).toBeLessThan(3_500);
  });

  it('for a producer: the dispatch rejects with what the store said', async () => {
    store.down.add('push');
    await expect(at.bus.dispatch(new Numbered(1))).rejects.toThrow('the store is down (push)');
    await expect(at.bus.bulk([new Numbered(1), new Numbered(2)])).rejects.toThrow('the store is down (push)');
    expect(at.names()).toEqual([]);
  });
});
