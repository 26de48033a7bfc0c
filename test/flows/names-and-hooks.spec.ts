import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import {
  InvalidOptionError,
  Job,
  JOB_REF,
  JobFailed,
  Middleware,
  PayloadHookError,
  Queueable,
  type JobContext,
  type JobMiddleware,
} from 'nestjs-queue';
import { closeApps, openApp, STORES, type Opened } from './open-app.js';

let seen: unknown[] = [];

@Injectable()
class Audio {
  encode(id: number) {
    return `encoded ${id}`;
  }
}

class Wrapping implements JobMiddleware {
  async handle(_job: unknown, next: () => Promise<void>, context: JobContext) {
    seen.push(`before ${context.attempts}`);
    await next();
    seen.push('after');
  }
}

@Job()
class Named extends Queueable {
  constructor(readonly podcast = 7) {
    super();
  }
  displayName() {
    return `Podcast ${this.podcast}`;
  }
  tags() {
    return [`podcast:${this.podcast}`, 'media'];
  }
  handle(@Inject(JOB_REF) context: JobContext) {
    seen.push([context.displayName, context.tags, (context.payload as { extra?: unknown }).extra]);
  }
}

@Job()
class NamedByField extends Queueable {
  displayName = 'By field';
  tags = ['one'];
  handle(@Inject(JOB_REF) context: JobContext) {
    seen.push([context.displayName, context.tags, Object.keys(this)]);
  }
}

@Job()
@Middleware(new Wrapping())
class Overridden extends Queueable {
  constructor(readonly id = 1) {
    super();
  }
  // Taken over: what it wants is not looked at, not even at boot.
  handle(audio: { encode: (id: number) => string }) {
    if (this.id < 0) throw new Error('negative');
    if (this.id === 0) return this.release(60);
    seen.push(audio.encode(this.id));
    return 'returned';
  }
  failed(error: Error | null, @Inject() audio: Audio) {
    seen.push([error?.message, audio.encode(0)]);
  }
}

beforeEach(() => {
  seen = [];
});
afterEach(closeApps);

describe.each(STORES)('names, tags and payload hooks, on %s', (store) => {
  let at: Opened;
  beforeEach(async () => {
    at = await openApp(store, { providers: [Named, NamedByField] });
  });

  it('a method or a field names a job and tags it, as people and the handler see it', async () => {
    await at.bus.dispatch(new Named());
    await at.bus.dispatch(new NamedByField());
    const jobs = await at.manager.connection().pendingJobs();
    expect(jobs.map(({ name }) => name)).toEqual(['Podcast 7', 'By field']);
    expect(jobs.map(({ payload }) => payload)).toMatchObject([
      { name: 'Named', displayName: 'Podcast 7', tags: ['podcast:7', 'media'], data: { podcast: 7 } },
      { name: 'NamedByField', displayName: 'By field', tags: ['one'], data: {} },
    ]);
    await at.drain();
    expect(seen).toEqual([
      ['Podcast 7', ['podcast:7', 'media'], undefined],
      ['By field', ['one'], []],
    ]);
  });

  it('what hooks add is there when the job runs, wherever it runs', async () => {
    at.manager.createPayloadUsing((connection, queue) => ({ from: `${connection}:${queue}`, n: 1 }));
    at.manager.createPayloadUsing((_connection, _queue, payload) => {
      const { name, n } = payload as { name: string; n: number };
      return { n: n + 1, name };
    });
    await at.bus.dispatch(new Named());
    await at.bus.bulk([new Named()]);
    await at.drain();
    await at.bus.dispatchSync(new Named());
    const extras = seen.map((one) => (one as unknown[])[2]);
    expect(extras).toEqual([
      { from: `${store}:default`, n: 2, name: 'Named' },
      { from: `${store}:default`, n: 2, name: 'Named' },
      { from: 'sync:sync', n: 2, name: 'Named' },
    ]);
    at.manager.createPayloadUsing(null);
    await at.bus.dispatchSync(new Named());
    expect((seen.at(-1) as unknown[])[2]).toBeUndefined();
  });

  it('a hook that fails, or returns what it should not, keeps the job from being sent', async () => {
    at.manager.createPayloadUsing(function addTenant() {
      throw new Error('no tenant');
    });
    for (const send of [() => at.bus.dispatch(new Named()), () => at.bus.bulk([new Named()])]) {
      const sent = Promise.resolve(send());
      await expect(sent).rejects.toThrow(PayloadHookError);
      await expect(sent).rejects.toThrow(/The payload hook addTenant failed, and the job was not sent: no tenant/);
    }
    at.manager.createPayloadUsing(null);
    at.manager.createPayloadUsing((() => [1]) as never);
    await expect(at.bus.dispatchSync(new Named())).rejects.toThrow(/returned Array\. Return an object of JSON values/);
    expect(() => at.manager.createPayloadUsing('x' as never)).toThrow(InvalidOptionError);
    expect((await at.manager.connection().size()).total).toBe(0);
    expect(seen).toEqual([]);
  });
});

describe.each(STORES)('a handlers entry, on %s', (store) => {
  const open = (): Promise<Opened> =>
    openApp(store, {
      providers: [Overridden, Audio],
      options: {
        handlers: [
          [
            Overridden,
            (job: Overridden, ref: ModuleRef) => {
              seen.push('taken over');
              return job.handle(ref.get(Audio));
            },
          ],
        ],
      },
    });

  it('takes over the call of handle, inside the middleware', async () => {
    const at = await open();
    await at.bus.dispatch(new Overridden(3));
    await at.drain();
    expect(seen).toEqual(['before 1', 'taken over', 'encoded 3', 'after']);
    expect(await at.bus.dispatchSync(new Overridden(4))).toBe('returned');
  });

  it('leaves attempts, releases and the outcome as they are', async () => {
    const at = await open();
    const failed: JobFailed[] = [];
    at.manager.on(JobFailed, (event) => void failed.push(event));
    await at.bus.dispatch(new Overridden(0));
    await at.drain();
    expect(await at.manager.connection().size()).toMatchObject({ delayed: 1 });
    await at.manager.connection().clear();
    seen = [];
    const receipt = await at.bus.dispatch(new Overridden(-1));
    await at.drain({ tries: 2 });
    expect(seen).toEqual(['before 1', 'taken over', 'before 2', 'taken over', ['negative', 'encoded 0']]);
    expect(failed.map(({ job }) => job.id)).toEqual([receipt!.id]);
    expect(await at.failed.find(receipt!.id)).toMatchObject({ name: 'Overridden' });
  });
});
