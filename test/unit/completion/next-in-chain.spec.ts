import { describe, expect, it } from '@jest/globals';
import { causeOf, shortened } from '../../../lib/completion/failure-cause.js';
import { callbacksOf, nextInChain } from '../../../lib/completion/next-in-chain.js';
import type { JobEnvelope } from '../../../lib/contracts/job-envelope.js';

const job = (name: string, more: Partial<JobEnvelope> = {}): JobEnvelope => ({
  v: 1,
  uuid: `id of ${name}`,
  name,
  displayName: name,
  data: {},
  createdAt: 0,
  ...more,
});
const [a, b, c, x, y] = ['a', 'b', 'c', 'x', 'y'].map((name) => job(name)) as [
  JobEnvelope,
  JobEnvelope,
  JobEnvelope,
  JobEnvelope,
  JobEnvelope,
];

describe('nextInChain', () => {
  it('is the first step, with what is behind it, the callbacks and the place of the chain', () => {
    const head = job('head', { chain: { rest: [a, b, c], catch: [x], connection: 'redis', queue: 'deploy' } });
    expect(nextInChain(head, undefined)).toEqual({
      written: a,
      envelope: { ...a, chain: { rest: [b, c], catch: [x], connection: 'redis', queue: 'deploy' } },
    });
  });

  it('carries no chain at the end, unless there are callbacks', () => {
    expect(nextInChain(job('head', { chain: { rest: [a] } }), undefined)!.envelope).toEqual(a);
    expect(nextInChain(job('head', { chain: { rest: [a], catch: [x] } }), undefined)!.envelope).toEqual({
      ...a,
      chain: { rest: [], catch: [x] },
    });
    expect(nextInChain(job('head', { chain: { rest: [], catch: [x] } }), undefined)).toBeUndefined();
    expect(nextInChain(job('head'), undefined)).toBeUndefined();
  });

  it('takes what the attempt put in front and at the end', () => {
    const head = job('head', { chain: { rest: [b] } });
    const next = nextInChain(head, { prepended: [a], appended: [c] })!;
    expect(next.envelope).toEqual({ ...a, chain: { rest: [b, c] } });
    expect(nextInChain(job('alone'), { appended: [c] })!.envelope).toEqual(c);
    expect(nextInChain(head, { prepended: [a], ends: true })).toBeUndefined();
  });

  it('puts a step’s own callbacks in front of those of the chain, from there on', () => {
    const step = { ...a, catch: [y] };
    const next = nextInChain(job('head', { chain: { rest: [step, b], catch: [x] } }), undefined)!;
    expect(next).toEqual({ written: step, envelope: { ...a, chain: { rest: [b], catch: [y, x] } } });
  });
});

describe('callbacksOf', () => {
  it('gives each the error', () => {
    const cause = { name: 'Error', message: 'no' };
    const callbacks = callbacksOf(job('head', { chain: { rest: [a], catch: [x, y] } }), cause);
    expect(callbacks.map(({ envelope }) => envelope)).toEqual([
      { ...x, cause },
      { ...y, cause },
    ]);
    expect(callbacks.map(({ written }) => written)).toEqual([x, y]);
    expect(callbacksOf(job('alone'), cause)).toEqual([]);
  });
});

describe('causeOf', () => {
  it('is what there is to read of an error', () => {
    const error = Object.assign(new TypeError('no'), { code: 'E_NO' });
    expect(causeOf(error)).toEqual({ name: 'TypeError', message: 'no', code: 'E_NO', stack: error.stack });
  });

  it('copes with errors of any make, and cuts long ones', () => {
    const hostile = new Proxy(new Error('x'), {
      get: () => {
        throw new Error('not to be looked at');
      },
    });
    expect(causeOf(hostile)).toEqual({ name: 'Error', message: '' });
    const leaky = causeOf(new Error('redis://app:hunter2@cache:6379 is away'));
    expect(leaky.message).toBe('redis://app:***@cache:6379 is away');
    expect(leaky.stack).not.toContain('hunter2');
    const long = causeOf(Object.assign(new Error('y'.repeat(100_000)), { code: 5 }));
    expect(long.message).toHaveLength(8_192);
    expect(long.stack!.length).toBeLessThanOrEqual(8_192);
    expect(long).not.toHaveProperty('code');
    expect(JSON.stringify(shortened(long)).length).toBeLessThan(600);
  });
});
