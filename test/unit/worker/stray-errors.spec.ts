import { AsyncLocalStorage } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import type { RunningAttempt } from '../../../lib/worker/running-attempt.js';
import { StrayErrors } from '../../../lib/worker/stray-errors.js';

function open(unownedIsDealtWith = true, source = new EventEmitter()) {
  const storage = new AsyncLocalStorage<RunningAttempt>();
  const late: unknown[] = [];
  const unowned: unknown[] = [];
  const strays = new StrayErrors(
    storage,
    (_attempt, error) => void late.push(error),
    (error) => {
      unowned.push(error);
      return unownedIsDealtWith;
    },
    source as unknown as NodeJS.Process,
  );
  const charged: unknown[] = [];
  const attempt = (over = false) =>
    ({
      stray: (error: unknown) => {
        if (!over) charged.push(error);
        return !over;
      },
    }) as RunningAttempt;
  return { storage, source, strays, late, unowned, charged, attempt };
}

describe.each(['unhandledRejection', 'uncaughtException'])('a stray %s', (event) => {
  it('is charged to the job whose code it comes from', () => {
    const { storage, source, strays, charged, attempt, unowned } = open();
    const off = strays.listen();
    storage.run(attempt(), () => source.emit(event, 'mine'));
    expect(charged).toEqual(['mine']);
    expect(unowned).toEqual([]);
    off();
  });

  it('of a job that has ended is told of', () => {
    const { storage, source, strays, late, charged, attempt } = open();
    strays.listen();
    storage.run(attempt(true), () => source.emit(event, 'too late'));
    expect(late).toEqual(['too late']);
    expect(charged).toEqual([]);
  });

  it('of no job goes to whoever deals with those', () => {
    const { source, strays, unowned } = open();
    strays.listen();
    source.emit(event, 'nobody’s');
    expect(unowned).toEqual(['nobody’s']);
  });

  it('of no job is left to the application’s own listener of that kind', () => {
    const { source, strays } = open(false);
    strays.listen();
    const theirs: unknown[] = [];
    source.on(event, (error) => theirs.push(error));
    source.emit(event, 'theirs');
    expect(theirs).toEqual(['theirs']);
  });

  it('is seen to once where several modules of a process run workers', () => {
    const first = open(false);
    const second = open(true, first.source);
    first.strays.listen();
    second.strays.listen();
    second.storage.run(second.attempt(), () => first.source.emit(event, 'of the second'));
    expect([first.unowned, second.unowned, second.charged]).toEqual([[], [], ['of the second']]);
    first.source.emit(event, 'nobody’s');
    expect([first.unowned, second.unowned]).toEqual([['nobody’s'], ['nobody’s']]);
  });

  it('is listened for only while a worker runs', () => {
    const { source, strays } = open();
    const offs = [strays.listen(), strays.listen()];
    expect(source.listenerCount(event)).toBe(1);
    offs[0]!();
    offs[0]!();
    expect(source.listenerCount(event)).toBe(1);
    offs[1]!();
    expect(source.listenerCount(event)).toBe(0);
  });
});
