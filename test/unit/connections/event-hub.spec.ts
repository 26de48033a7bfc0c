import { describe, expect, it } from '@jest/globals';
import { EventHub } from '../../../lib/connections/event-hub.js';
import { QueueBusy, QueuePaused, QueueResumed, QueuesPaused } from '../../../lib/contracts/queue-events.js';

function hub() {
  const reports: [string, unknown][] = [];
  return { hub: new EventHub((message, error) => reports.push([message, error])), reports };
}

describe('EventHub', () => {
  it('tells the listeners of the class, in order, and those of every event', () => {
    const { hub: events } = hub();
    const heard: string[] = [];
    events.onEvery((event) => heard.push(`every ${event.constructor.name}`));
    events.on(QueueBusy, (event) => heard.push(`first ${event.queue}`));
    events.on(QueueBusy, () => heard.push('second'));
    events.on(QueuePaused, () => heard.push('other class'));
    events.emit(new QueueBusy('memory', 'mails', 7));
    expect(heard).toEqual(['first mails', 'second', 'every QueueBusy']);
  });

  it('knows whether anybody listens, and takes listeners off one by one', () => {
    const { hub: events } = hub();
    let calls = 0;
    const listener = () => (calls += 1);
    expect(events.heard(QueueBusy)).toBe(false);
    const offOne = events.on(QueueBusy, listener);
    const offTwo = events.on(QueueBusy, listener);
    expect(events.heard(QueueBusy)).toBe(true);
    expect(events.heard(QueuePaused)).toBe(false);
    offOne();
    offOne();
    events.emit(new QueueBusy('memory', 'mails', 1));
    expect(calls).toBe(1);
    offTwo();
    expect(events.heard(QueueBusy)).toBe(false);
    const offEvery = events.onEvery(() => {});
    expect(events.heard(QueuePaused)).toBe(true);
    offEvery();
    expect(events.heard(QueuePaused)).toBe(false);
  });

  it('reports a listener that throws or rejects once for each event, and goes on', async () => {
    const { hub: events, reports } = hub();
    const heard: string[] = [];
    const thrown = new Error('thrown');
    const rejected = new Error('rejected');
    events.on(QueueBusy, () => {
      throw thrown;
    });
    events.on(QueueBusy, () => Promise.reject(rejected));
    events.on(QueueBusy, () => heard.push('still called'));
    events.emit(new QueueBusy('memory', 'mails', 1));
    await new Promise(setImmediate);
    expect(heard).toEqual(['still called']);
    expect(reports.map(([, error]) => error)).toEqual([thrown, rejected]);
    expect(reports[0]![0]).toContain('QueueBusy');
  });

  it('lets listeners come and go while an event is under way', () => {
    const { hub: events } = hub();
    const heard: string[] = [];
    const off = events.on(QueuesPaused, () => {
      heard.push('one');
      off();
      events.on(QueuesPaused, () => heard.push('late'));
    });
    events.on(QueuesPaused, () => heard.push('two'));
    events.emit(new QueuesPaused());
    expect(heard).toEqual(['one', 'two']);
  });

  it('has settled when what its listeners began has ended, also what came of that', async () => {
    const { hub: events } = hub();
    const ended: string[] = [];
    events.on(QueuesPaused, async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      events.emit(new QueueResumed('memory', 'mails'));
      ended.push('first');
      throw new Error('no');
    });
    events.on(QueueResumed, async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      ended.push('second');
    });
    await events.settled();
    events.emit(new QueuesPaused());
    expect(ended).toEqual([]);
    await events.settled();
    expect(ended).toEqual(['first', 'second']);
  });

  it.each([
    ['nobody listens', [], true],
    ['only false refuses', [() => 0, () => '', () => null, () => undefined], true],
    ['false', [() => true, () => false], false],
    ['a promise of false', [() => Promise.resolve(false)], false],
    ['a promise of something else', [() => Promise.resolve(0)], true],
    ['an error is a yes', [() => Promise.reject(new Error('no'))], true],
    ['false beside an error', [() => Promise.reject(new Error('no')), () => false], false],
  ] as [string, (() => unknown)[], boolean][])('asks: %s', async (_, listeners, answer) => {
    const { hub: events } = hub();
    for (const one of listeners) events.on(QueueResumed, one);
    await expect(events.ask(new QueueResumed('memory', 'mails'))).resolves.toBe(answer);
  });
});
