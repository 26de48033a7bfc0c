import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { WorkerSignals, type SignalledWorker } from '../../lib/cli/signals.js';

let source: EventEmitter;
let now: number;
let calls: string[];
let signals: WorkerSignals;

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
  signals = new WorkerSignals(source as unknown as NodeJS.Process, () => now);
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
  });
});
