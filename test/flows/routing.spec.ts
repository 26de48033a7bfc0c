import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable } from '@nestjs/common';
import {
  InvalidOptionError,
  InvalidQueueNameError,
  Job,
  Queueable,
  QueueBusy,
  QueueManager,
  QueuePaused,
  UnknownConnectionError,
  WorkerQueuePaused,
} from 'nestjs-queue';
import { closeApps, openApp, STORES, type Opened } from './open-app.js';

let handled: string[] = [];

@Job()
class Plain extends Queueable {
  constructor(readonly label = 'plain') {
    super();
  }
  handle() {
    handled.push(this.label);
  }
}
@Job()
class Child extends Plain {}
@Job()
class Grandchild extends Child {}
@Job({ connection: 'memory', queue: 'decorator' })
class Decorated extends Plain {}
@Job({ connection: 'database', queue: 'decorator' })
class ByField extends Plain {
  connection = 'memory';
  queue = 'field';
}
@Job({ connection: 'database', queue: 'decorator' })
class ByMethod extends Plain {
  connection() {
    return 'memory';
  }
  queue() {
    return `method-${this.label}`;
  }
}
@Job({ connection: 'memory' })
class OnlyConnection extends Plain {}
@Job()
class Failing extends Plain {
  override handle() {
    throw new Error('no');
  }
}

/** Sets its routes and forwards where an application would. */
@Injectable()
class Routing {
  constructor(@Inject(QueueManager) queue: QueueManager) {
    queue.route(Plain, { queue: 'set-by-code' });
    queue.forward('old', 'new');
  }
}

const JOBS = [Plain, Child, Grandchild, Decorated, ByField, ByMethod, OnlyConnection, Failing];

beforeEach(() => {
  handled = [];
});
afterEach(closeApps);

const other = { memory: 'database', database: 'memory' } as const;

describe.each(STORES)('where a job goes, with %s as the default', (store) => {
  let at: Opened;
  const open = async (options: object = {}, providers: unknown[] = []): Promise<void> => {
    at = await openApp(store, { providers: [...JOBS, ...(providers as [])], options });
  };
  const went = async (job: Plain): Promise<string> => {
    const receipt = await at.bus.dispatch(job);
    return `${receipt!.connection}:${receipt!.queue}`;
  };

  it('is the default queue of the default connection where nobody says', async () => {
    await open();
    expect(await went(new Plain())).toBe(`${store}:default`);
    expect(await went(new Plain().onConnection(other[store]))).toBe(`${other[store]}:default`);
  });

  it('is said by a fluent call, a method, a field, a decorator, a route, in this order', async () => {
    await open({
      routes: [[Plain, { connection: 'database', queue: 'route' }]],
    });
    for (const type of [Decorated, ByField, ByMethod, OnlyConnection]) {
      at.manager.route(type, { connection: 'database', queue: 'route' });
    }
    expect(await went(new Plain())).toBe('database:route');
    expect(await went(new Decorated())).toBe('memory:decorator');
    expect(await went(new ByField())).toBe('memory:field');
    expect(await went(new ByMethod('x'))).toBe('memory:method-x');
    expect(await went(new ByMethod().onConnection('database').onQueue('fluent'))).toBe('database:fluent');
    expect(
      await at.bus.dispatch(new ByMethod().onConnection('sync').onQueue('job')).onConnection('memory').onQueue('bus'),
    ).toMatchObject({ connection: 'memory', queue: 'bus' });
    // Each of the two on its own.
    expect(await went(new OnlyConnection())).toBe('memory:route');
    expect(await went(new Decorated().onQueue('fluent'))).toBe('memory:fluent');
    const bulk = await at.bus.bulk([new Plain(), new ByField(), new Decorated().onQueue('fluent')]);
    expect(bulk.map((one) => `${one!.connection}:${one!.queue}`)).toEqual([
      'database:route',
      'memory:field',
      'memory:fluent',
    ]);
  });

  it('is the route of its nearest parent, and may be given in code', async () => {
    await open({ routes: [[Child, { queue: 'children' }]] }, [Routing]);
    expect(await went(new Plain())).toBe(`${store}:set-by-code`);
    expect(await went(new Child())).toBe(`${store}:children`);
    expect(await went(new Grandchild())).toBe(`${store}:children`);
    at.manager.route(Grandchild, { connection: other[store] });
    expect(await went(new Grandchild())).toBe(`${other[store]}:default`);
    at.manager.route(Child, { queue: 'later' });
    expect(await went(new Child())).toBe(`${store}:later`);
  });

  it('follows a forward last, on all connections or on one, which it then supplies', async () => {
    await open();
    at.manager.forward('mails', 'letters');
    at.manager.forward('reports', 'slow', other[store]);
    at.manager.forward('default', 'standard', other[store]);
    expect(await went(new Plain().onQueue('mails'))).toBe(`${store}:letters`);
    expect(await went(new Plain().onQueue('mails').onConnection(other[store]))).toBe(`${other[store]}:letters`);
    expect(await went(new Plain().onQueue('reports'))).toBe(`${other[store]}:slow`);
    expect(await went(new Plain().onQueue('reports').onConnection(store))).toBe(`${store}:reports`);
    // Nobody names that queue: it is the connection's own.
    expect(await went(new Plain())).toBe(`${store}:default`);
    expect(await went(new Plain().onConnection(other[store]))).toBe(`${other[store]}:standard`);
    at.manager.route(Plain, { queue: 'reports' });
    expect(await went(new Plain())).toBe(`${other[store]}:slow`);
    at.manager.route(Plain, { connection: store, queue: 'reports' });
    expect(await went(new Plain())).toBe(`${store}:reports`);
  });

  it('is the same for whoever works, counts, clears, inspects, watches and retries the queue', async () => {
    await open();
    const connection = at.manager.connection();
    await at.bus.dispatch(new Plain('before')).onQueue('letters');
    at.manager.forward('mails', 'letters', store);
    const busy: QueueBusy[] = [];
    at.manager.on(QueueBusy, (event) => void busy.push(event));
    await at.bus.dispatch(new Plain('after')).onQueue('mails');
    await connection.pushRaw('not json', 'mails');
    for (const name of ['mails', 'letters']) {
      expect((await connection.size(name)).total).toBe(3);
      expect(await connection.pendingJobs(name)).toHaveLength(3);
    }
    expect(await at.manager.monitor([`${store}:mails`], 3)).toMatchObject([{ queue: 'mails', total: 3 }]);
    expect(busy).toMatchObject([{ queue: 'mails', size: 3 }]);
    await at.drain({ queues: ['mails'] });
    expect(handled).toEqual(['before', 'after']);
    await at.failed.flush();

    const failing = await at.bus.dispatch(new Failing()).onQueue('mails').delay(0);
    await at.drain({ queues: ['mails', 'letters'], tries: 1 });
    expect(await at.failed.find(failing!.id)).toMatchObject({ queue: 'letters' });
    // A record from before the forward.
    at.manager.forward('letters', 'parcels');
    expect(await at.failed.retry(failing!.id)).toBe(true);
    expect((await connection.size('parcels')).total).toBe(1);
    expect(await connection.clear('mails')).toBe(1);
    expect((await connection.size('parcels')).total).toBe(0);
  });

  it('is paused and resumed under both names', async () => {
    await open();
    at.manager.forward('mails', 'letters', store);
    const noticed: string[] = [];
    const paused: string[] = [];
    at.manager.on(WorkerQueuePaused, ({ queue }) => void noticed.push(queue));
    at.manager.on(QueuePaused, ({ queue }) => void paused.push(queue));
    await at.bus.dispatch(new Plain()).onQueue('mails');
    for (const [pausing, resuming] of [
      ['mails', 'letters'],
      ['letters', 'mails'],
    ] as const) {
      await at.manager.pause(store, pausing);
      for (const name of ['mails', 'letters']) {
        expect(await at.manager.isPaused(store, name)).toBe(true);
        await at.drain({ queues: [name] });
      }
      expect(await at.manager.isPaused(other[store], 'mails')).toBe(false);
      await at.manager.resume(store, resuming);
      for (const name of ['mails', 'letters']) expect(await at.manager.isPaused(store, name)).toBe(false);
    }
    expect(handled).toEqual([]);
    // The name that its worker was given, and the name that it has.
    expect(noticed).toEqual(['mails', 'letters', 'mails', 'letters']);
    expect(paused).toEqual(['letters', 'letters']);
    await at.manager.pauseFor(store, 'mails', '1h');
    await at.drain({ queues: ['letters'] });
    expect(handled).toEqual([]);
    await at.manager.resume(store, 'mails');
    await at.drain({ queues: ['mails'] });
    expect(handled).toEqual(['plain']);
  });

  it('is named when it cannot be', async () => {
    await expect(open({ routes: [[Plain, { connection: 'nowhere' }]] })).rejects.toThrow(UnknownConnectionError);
    await expect(open({ routes: [[Plain, { queue: 'a b' }]] })).rejects.toThrow(InvalidQueueNameError);
    await open();
    expect(() => at.manager.route(Plain, { connection: 'nowhere' })).toThrow(UnknownConnectionError);
    expect(() => at.manager.route('Plain' as never, { queue: 'x' })).toThrow(InvalidOptionError);
    expect(() => at.manager.forward('a', 'b', 'nowhere')).toThrow(UnknownConnectionError);
    expect(() => at.manager.forward('a', 'b c')).toThrow(InvalidQueueNameError);
    at.manager.forward('a', 'b');
    expect(() => at.manager.forward('b', 'a')).toThrow(InvalidOptionError);
    await expect(went(new Plain().onQueue('a b'))).rejects.toThrow(InvalidQueueNameError);
    await expect(went(new Plain().onConnection('nowhere'))).rejects.toThrow(UnknownConnectionError);
  });
});
