import 'reflect-metadata';
import { describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger, Module, type Type } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { Test } from '@nestjs/testing';
import { EventHub } from '../../lib/connections/event-hub.js';
import type { JobContext } from '../../lib/contracts/job-context.js';
import { JobFailed, JobProcessed, Looping, QueuesPaused } from '../../lib/contracts/queue-events.js';
import { EventEmitterSubscriber } from '../../lib/nest/event-emitter-subscriber.js';

/** The emitter's own type wants listeners to return nothing. */
type Listen = () => unknown;

const job = { id: '1' } as JobContext;
const looping = new Looping('db', 'default', {});

async function setUp(options: object | undefined, providers: Type[] = []) {
  @Module({ imports: [DiscoveryModule, ...(options ? [EventEmitterModule.forRoot(options)] : [])], providers })
  class App {}
  const app = await Test.createTestingModule({ imports: [App] }).compile();
  await app.init();
  const hubReport = jest.fn();
  const hub = new EventHub(hubReport);
  const report = jest.fn();
  const found = new EventEmitterSubscriber(app.get(DiscoveryService), report).subscribe(hub);
  const emitter = options ? app.get(EventEmitter2, { strict: false }) : undefined;
  return { app, hub, report, hubReport, found, emitter: emitter! };
}

describe('EventEmitterSubscriber', () => {
  it('reaches @OnEvent listeners under the event’s name, with the event itself', async () => {
    const heard: unknown[] = [];
    @Injectable()
    class Listener {
      @OnEvent(JobFailed.event)
      onFailed(event: JobFailed): void {
        heard.push(event);
      }
    }
    const { hub, found } = await setUp({}, [Listener]);
    expect(found).toBe(true);
    const event = new JobFailed('db', job, new Error('x'));
    hub.emit(event);
    hub.emit(new JobProcessed('db', job));
    expect(heard).toEqual([event]);
  });

  it('is waited for where somebody waits until what listeners began has ended', async () => {
    const { hub, emitter } = await setUp({});
    const ended: string[] = [];
    const send: Listen = async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      ended.push('sent');
      return false;
    };
    emitter.on(QueuesPaused.event, send);
    hub.emit(new QueuesPaused());
    expect(ended).toEqual([]);
    await hub.settled();
    expect(ended).toEqual(['sent']);
  });

  it('reaches wildcard listeners and those of any event', async () => {
    const { hub, emitter } = await setUp({ wildcard: true });
    const [wild, any] = [jest.fn(), jest.fn()];
    emitter.onAny(any);
    hub.emit(new QueuesPaused());
    expect(any).toHaveBeenCalledTimes(1);
    emitter.on('queue.job.**', wild);
    const event = new JobProcessed('db', job);
    hub.emit(event);
    hub.emit(new QueuesPaused());
    expect(wild.mock.calls).toEqual([[event]]);
  });

  it.each([{}, { wildcard: true }])(
    'with %p: false from a listener of Looping is a veto, anything else is not',
    async (options) => {
      const { hub, emitter } = await setUp(options);
      expect(await hub.ask(looping)).toBe(true);
      emitter.on(Looping.event, () => undefined);
      expect(await hub.ask(looping)).toBe(true);
      const veto: Listen = async () => false;
      emitter.on(Looping.event, veto);
      expect(await hub.ask(looping)).toBe(false);
      emitter.off(Looping.event, veto);
      expect(await hub.ask(looping)).toBe(true);
    },
  );

  it('takes the veto of an @OnEvent method too', async () => {
    @Injectable()
    class Gate {
      @OnEvent(Looping.event)
      async onLooping(): Promise<boolean> {
        return false;
      }
    }
    const { hub } = await setUp({}, [Gate]);
    expect(await hub.ask(looping)).toBe(false);
  });

  it('a listener that throws or rejects is reported once and changes nothing', async () => {
    const { hub, emitter, report, hubReport } = await setUp({});
    const rejecting: Listen = async () => Promise.reject(new Error('async'));
    emitter.on(JobProcessed.event, rejecting);
    for (let n = 0; n < 3; n += 1) hub.emit(new JobProcessed('db', job));
    await new Promise((resolve) => setImmediate(resolve));
    emitter.on(Looping.event, () => {
      throw new Error('sync');
    });
    expect(await hub.ask(looping)).toBe(true);
    expect(await hub.ask(looping)).toBe(true);
    expect(report.mock.calls.map(([message, error]) => [message, (error as Error).message])).toEqual([
      ['A listener of queue.job.processed threw, which changes nothing for the queue', 'async'],
      ['A listener of queue.looping threw, which changes nothing for the queue', 'sync'],
    ]);
    expect(hubReport).not.toHaveBeenCalled();
  });

  it('does not emit where nobody listens', async () => {
    const { hub, emitter } = await setUp({});
    const emitAsync = jest.spyOn(emitter, 'emitAsync');
    hub.emit(new JobProcessed('db', job));
    expect(emitAsync).not.toHaveBeenCalled();
  });

  it('does nothing in an application without one', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn');
    const { hub, found } = await setUp(undefined);
    expect(found).toBe(false);
    expect(hub.heard(JobProcessed)).toBe(false);
    expect(warn).not.toHaveBeenCalled();
  });
});
