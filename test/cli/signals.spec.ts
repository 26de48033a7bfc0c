import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Order } from '../../lib/cli/self-process.js';
import { WorkerSignals, type SignalledWorker } from '../../lib/cli/signals.js';

let source: EventEmitter;
let now: number;
let calls: string[];
let signals: WorkerSignals;
/** The parent's word. */
let order: (what: Order) => void;
let heard: boolean;

const worker: SignalledWorker = {
  signal: (name) => void calls.push(name),
  force: async () => void calls.push('force'),
  pause: () => void calls.push('pause'),
  resume: () => void calls.push('resume'),
};

beforeEach(() => {
  source = new EventEmitter();
  now = 0;
  calls = [];
  heard = true;
  signals = new WorkerSignals(
    source as unknown as NodeJS.Process,
    () => now,
    (listener) => {
      order = listener;
      return () => (heard = false);
    },
  );
});

describe('signals to a worker', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGQUIT'])('%s stops it', async (signal) => {
    signals.direct(worker);
    source.emit(signal);
    expect(await signals.stopped).toBe(signal);
    expect(calls).toEqual([signal]);
  });

  it('a second one within a second is the same', () => {
    signals.direct(worker);
    source.emit('SIGINT');
    now = 999;
    source.emit('SIGTERM');
    expect(calls).toEqual(['SIGINT']);
  });

  it('a second one later forces, once', async () => {
    signals.direct(worker);
    source.emit('SIGTERM');
    now = 1_000;
    source.emit('SIGINT');
    source.emit('SIGINT');
    await signals.forced;
    expect(calls).toEqual(['SIGTERM', 'force']);
  });

  it('forces even where giving back fails', async () => {
    signals.direct({ ...worker, force: () => Promise.reject(new Error('the store is away')) });
    source.emit('SIGTERM');
    now = 2_000;
    source.emit('SIGTERM');
    await expect(signals.forced).resolves.toBeUndefined();
  });

  it('SIGUSR2 pauses, SIGCONT resumes', () => {
    signals.direct(worker);
    source.emit('SIGUSR2');
    source.emit('SIGCONT');
    expect(calls).toEqual(['pause', 'resume']);
  });

  it('what came before there was a worker reaches it', async () => {
    source.emit('SIGUSR2');
    source.emit('SIGTERM');
    expect(await signals.stopped).toBe('SIGTERM');
    signals.direct(worker);
    expect(calls).toEqual(['pause', 'SIGTERM']);
  });

  it('a pause taken back before there was a worker is nothing', () => {
    source.emit('SIGUSR2');
    source.emit('SIGCONT');
    signals.direct(worker);
    expect(calls).toEqual([]);
  });

  it('leaves no listener behind when closed', () => {
    signals.close();
    expect(source.eventNames()).toEqual([]);
    expect(heard).toBe(false);
  });
});

describe('orders of a parent', () => {
  it('to stop is no second signal, however late it comes', () => {
    signals.direct(worker);
    source.emit('SIGINT');
    now = 5_000;
    order('stop');
    expect(calls).toEqual(['SIGINT']);
  });

  it('to stop may come first; a signal a second later forces', async () => {
    order('stop');
    expect(await signals.stopped).toBe('SIGTERM');
    signals.direct(worker);
    now = 1_000;
    source.emit('SIGINT');
    order('force');
    await signals.forced;
    expect(calls).toEqual(['SIGTERM', 'force']);
  });

  it('to force needs no order to stop before it', async () => {
    signals.direct(worker);
    order('force');
    await signals.forced;
    expect(calls).toEqual(['SIGTERM', 'force']);
  });

  it('to pause and to go on are the signals to', () => {
    order('pause');
    signals.direct(worker);
    order('resume');
    expect(calls).toEqual(['pause', 'resume']);
  });
});
