import { describe, expect, it } from '@jest/globals';
import { answerWithin } from '../../lib/cli/answer-within.js';
import { CommandError, describeError } from '../../lib/cli/command-error.js';
import { unquoted } from '../../lib/cli/queue-cli.js';
import { Recorder } from './recorder.js';

describe('an error', () => {
  it.each<[unknown, string, RegExp]>([
    [new CommandError('No.', 'Do this.'), 'No.', /^Do this\.$/],
    [new Error('Option tries is NaN. Give a number.'), 'Option tries is NaN.', /^Give a number\.$/],
    [new Error('boom'), 'boom', /-v/],
    [new Error('one\ntwo'), 'one', /-v/],
    [
      Object.assign(new AggregateError([new Error('connect ECONNREFUSED ::1:6379')]), { code: 'ECONNREFUSED' }),
      'connect ECONNREFUSED ::1:6379',
      /server is running/,
    ],
    [undefined, 'The command ended with undefined.', /-v/],
  ])('%s is what is wrong, and what to do', (error, message, hint) => {
    expect(describeError(error).message).toBe(message);
    expect(describeError(error).hint).toMatch(hint);
  });

  it('is two lines on stderr, without stack, secrets and control characters', () => {
    const recorder = new Recorder();
    recorder.output().error(new Error('redis://:s3cret@h \u001b[31mrefused'));
    expect(recorder.err).toBe(
      'ERROR  redis://:***@h refused\n       Run the command again with -v to see where it comes from.\n',
    );
    expect(recorder.out).toBe('');
  });

  it('has its stack and causes with -v', () => {
    const recorder = new Recorder();
    recorder.output({ verbose: true }).error(new CommandError('No.', 'Do.', { cause: new TypeError('inner') }));
    expect(recorder.err).toMatch(/at .*errors\.spec/);
    expect(recorder.err).toContain('Caused by: TypeError: inner');
  });
});

describe('a store that must answer', () => {
  it('gives its answer, or its error', async () => {
    expect(await answerWithin(Promise.resolve(3))).toBe(3);
    await expect(answerWithin(Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  it('is given up on when silent', async () => {
    await expect(answerWithin(new Promise(() => {}), undefined, 20)).rejects.toThrow(
      'did not answer within 0.02 seconds',
    );
    await expect(answerWithin(new Promise(() => {}), () => new Promise(() => {}), 20)).rejects.toThrow(
      'did not answer',
    );
    await expect(answerWithin(new Promise(() => {}), () => Promise.reject(new Error()), 20)).rejects.toThrow(
      'did not answer',
    );
  });

  it('is waited for while it answers questions', async () => {
    let asked = 0;
    const slow = new Promise((resolve) => setTimeout(resolve, 120, 'done'));
    expect(await answerWithin(slow, async () => void (asked += 1), 20)).toBe('done');
    expect(asked).toBeGreaterThan(1);
  });
});

it.each([
  ['"--queue=high"', '--queue=high'],
  [String.raw`"a \"b\""`, 'a "b"'],
  ['--queue="high"', '--queue="high"'],
  ['"', '"'],
  ['"a" "b"', '"a" "b"'],
])('the argument %s is %s', (given, expected) => expect(unquoted(given)).toBe(expected));
