import { describe, expect, it } from '@jest/globals';
import { claimedOf, reclaimedOf } from '../../../lib/backends/redis/claim-answer.js';
import { effectsText, readEffects } from '../../../lib/backends/redis/effects-text.js';
import { Keyspace } from '../../../lib/backends/redis/keyspace.js';
import { pushCall, pushResults } from '../../../lib/backends/redis/push-call.js';
import { pushGroups } from '../../../lib/backends/redis/push-groups.js';
import { QueueKeys } from '../../../lib/backends/redis/queue-keys.js';
import { ScriptCall } from '../../../lib/backends/redis/script-call.js';
import { arranged, asTheyStood } from '../../../lib/backends/redis/member-acks.js';
import { addSettlements, notesOf } from '../../../lib/backends/redis/settle-call.js';
import { Uncertain } from '../../../lib/backends/redis/uncertain.js';
import type { Effects, PushEntry, ReservedJob, Settlement } from '../../../lib/contracts/queue-driver.js';
import { timeOrderedUuid } from '../../../lib/support/time-ordered-uuid.js';

const token = `${'n'.repeat(22)}.10001`;

const keys = new QueueKeys(new Keyspace('p'), false);
const slots = new QueueKeys(new Keyspace('p'), true);
const entry = (over: Partial<PushEntry> = {}): PushEntry => ({
  id: timeOrderedUuid(Date.now()),
  queue: 'a',
  body: '{}',
  delayMs: 0,
  ...over,
});
const job = (over: Partial<ReservedJob> = {}): ReservedJob => ({
  id: 'id',
  queue: 'a',
  body: '{}',
  priority: 0,
  attempts: 1,
  stalls: 0,
  token,
  leasedUntil: 0,
  ...over,
});

describe('the call of a push', () => {
  it('has one stretch for plain neighbours of a queue', () => {
    const [a, b, c, d] = [entry(), entry(), entry({ queue: 'b' }), entry()] as const;
    const call = pushCall([a, b, c, d], keys);
    expect(call.keys).toEqual(['p:{a}', 'p:{b}']);
    expect(call.args).toEqual(['p', 1, 2, a.id, '{}', b.id, '{}', 'p', 2, 1, c.id, '{}', 'p', 1, 1, d.id, '{}']);
  });

  it('tells all about a job that is not plain', () => {
    const lock = { key: 'lock', owner: 'owner', ttlMs: Infinity };
    const one = entry({ id: 'old', delayMs: 1.2, priority: -3, lock, once: { ttlMs: 5 } });
    const call = pushCall([one], keys);
    expect(call.keys).toEqual(['p:{a}', 'p:{!lock:lock}']);
    expect(call.args).toEqual(['s', 1, 'old', '{}', 2, -3, 1, 5, 2, 'lock', 'owner', '']);
    expect(pushCall([one], slots).args.slice(8)).toEqual([0, 'lock', 'owner', '']);
  });

  it('reads what was refused', () => {
    expect(pushResults(0, 2)).toEqual([{ stored: true }, { stored: true }]);
    expect(pushResults(['0212', 'x', 'y'], 4)).toEqual([
      { stored: true },
      { stored: false, reason: 'locked', by: 'x' },
      { stored: false, reason: 'exists' },
      { stored: false, reason: 'locked', by: 'y' },
    ]);
  });
});

describe('the groups of a push', () => {
  const shape = (some: readonly PushEntry[], by: QueueKeys) =>
    pushGroups(some, by).map(({ kind, places }) => [kind, places.length]);

  it('are of a thousand entries, and of four million characters', () => {
    expect(
      shape(
        Array.from({ length: 2_001 }, () => entry()),
        keys,
      ),
    ).toEqual([
      ['script', 1_000],
      ['script', 1_000],
      ['script', 1],
    ]);
    const large = entry({ body: 'x'.repeat(1_500_000) });
    expect(shape([large, large, large], keys)).toEqual([
      ['script', 2],
      ['script', 1],
    ]);
  });

  it('are of one slot on a cluster, and keep what is wrong and what has a lock elsewhere apart', () => {
    const lock = { key: 'lock', owner: 'o', ttlMs: 1 };
    const some = [entry(), entry({ queue: 'b' }), entry({ delayMs: NaN }), entry(), entry({ lock }), entry()];
    expect(pushGroups(some, slots).map(({ kind, places }) => [kind, places])).toEqual([
      ['fault', [2]],
      ['script', [0, 3]],
      ['far', [4]],
      ['script', [1]],
      ['script', [5]],
    ]);
    expect(shape([entry(), entry({ queue: 'b' }), entry({ lock })], keys)).toEqual([['script', 3]]);
  });
});

describe('the call of a settlement', () => {
  it('has one stretch for plain acks, and counts the arguments of effects', () => {
    const call = new ScriptCall();
    const effects: Effects = {
      unlock: [{ key: 'k', owner: 'o' }],
      member: { batchId: 'b', jobId: 'id', outcome: 'done' },
    };
    const some: Settlement[] = [
      { kind: 'ack', job: job() },
      { kind: 'ack', job: job({ id: 'two' }) },
      { kind: 'ack', job: job({ id: 'three' }), effects },
      { kind: 'release', job: job({ id: 'four' }), delayMs: 0.5, countAttempt: false, memo: '' },
      { kind: 'ack', job: job({ id: 'five' }) },
    ];
    expect(addSettlements(call, some, keys)).toBeUndefined();
    expect(call.args.slice(0, 5)).toEqual(['a', 1, 2, `id${token}`, `two${token}`]);
    expect(call.args.slice(5, 17)).toEqual(['x', 1, `three${token}`, 8, 'm', 2, 'id', 'done', 0, 'u', 3, 'o']);
    expect(call.args.slice(17)).toEqual(['r', 1, `four${token}`, 1, 0, '=', 0, 'a', 1, 1, `five${token}`]);
    expect(call.keys).toEqual(['p:{a}', 'p:{!batch:b}', 'p:{!lock:k}']);
  });

  it('keeps what belongs to another slot as text', () => {
    const call = new ScriptCall();
    const effects: Effects = { push: [entry({ queue: 'b', lock: { key: 'k', owner: 'o', ttlMs: Infinity } })] };
    const far = addSettlements(call, [{ kind: 'ack', job: job(), effects }], slots);
    expect(far?.get(0)).toEqual(effects);
    expect(call.args.slice(0, 5)).toEqual(['x', 1, `id${token}`, 2, 'o']);
    expect(readEffects(String(call.args[5]))).toEqual(effects);
  });

  it('reads refusals, and flags of members, by their places', () => {
    expect(notesOf(0).size).toBe(0);
    expect([...notesOf([0, 'c', 7, 'g', 8, 3])]).toEqual([
      [0, 'c'],
      [7, 'g'],
      [8, 3],
    ]);
  });

  const member = (id: string, batchId: string, over: Partial<Effects> = {}, queue = 'a'): Settlement => ({
    kind: 'ack',
    job: job({ id, queue }),
    effects: { member: { batchId, jobId: id, outcome: 'done' }, ...over },
  });

  it('names a batch once for neighbours that are its members and have succeeded', () => {
    const call = new ScriptCall();
    const unlock = [{ key: 'k', owner: 'o' }];
    const some = [member('x', 'b'), member('y', 'b', { push: [] }), member('z', 'c'), member('u', 'c', { unlock })];
    expect(addSettlements(call, some, keys)).toBeUndefined();
    expect(call.keys).toEqual(['p:{a}', 'p:{!batch:b}', 'p:{!batch:c}', 'p:{!lock:k}']);
    expect(call.args.slice(0, 6)).toEqual(['m', 1, 2, 2, `x${token}`, `y${token}`]);
    expect(call.args.slice(6, 11)).toEqual(['m', 1, 1, 3, `z${token}`]);
    expect(call.args.slice(11, 15)).toEqual(['x', 1, `u${token}`, 8]);
  });

  it('has at most a thousand members in a stretch', () => {
    const call = new ScriptCall();
    addSettlements(
      call,
      Array.from({ length: 1_001 }, (_, at) => member(`j${at}`, 'b')),
      keys,
    );
    expect(call.args.slice(0, 4)).toEqual(['m', 1, 1_000, 2]);
    expect(call.args.slice(1_004, 1_008)).toEqual(['m', 1, 1, 2]);
  });

  it('puts members of one batch together, by queue, and the answers back where they belong', () => {
    const release: Settlement = { kind: 'release', job: job({ id: 'r' }), delayMs: 0 };
    const some = [
      member('1', 'b'),
      release,
      member('2', 'c'),
      { kind: 'ack', job: job({ id: '3' }) } as const,
      member('4', 'b'),
      member('5', 'b', {}, 'other'),
      member('6', 'c'),
    ];
    const order = arranged(some, keys);
    expect(order.simple).toBe(false);
    expect(order.settlements.map(({ job: { id } }) => id)).toEqual(['3', '1', '4', '2', '6', '5', 'r']);
    const ids = order.settlements.map(({ job: { id } }) => id);
    expect(asTheyStood(ids, order)).toEqual(some.map(({ job: { id } }) => id));
  });

  it('leaves what stands together as it is, and what is in another slot', () => {
    const some = [member('1', 'b'), member('2', 'b')];
    expect(arranged(some, keys)).toEqual({ settlements: some, simple: true });
    expect(arranged(some, slots)).toEqual({ settlements: some, simple: false });
    expect(arranged(some, new QueueKeys(new Keyspace('{p}'), true)).simple).toBe(true);
    const plain: Settlement[] = [{ kind: 'ack', job: job() }];
    expect(arranged(plain, keys)).toEqual({ settlements: plain, simple: true });
  });

  it('does not take a member for simple that failed, took others along, or is told under another id', () => {
    for (const end of [
      { batchId: 'b', jobId: 'id', outcome: 'failed' },
      { batchId: 'b', jobId: 'id', outcome: 'done', alsoEnded: ['x'] },
      { batchId: 'b', jobId: 'other', outcome: 'done' },
    ] as const) {
      expect(arranged([{ kind: 'ack', job: job(), effects: { member: end } }], keys).simple).toBe(false);
    }
    const release: Settlement = { ...member('id', 'b'), kind: 'release', delayMs: 0 };
    expect(arranged([release], keys).simple).toBe(false);
  });
});

describe('the answer of a claim', () => {
  it('is read group by group', () => {
    const special = [1, 2, 1, 'memo'];
    const answer = [0, 1_000, -1, [2, 'gone'], 1, 5, ['x'], ['bx'], [], 2, 0, ['y', 'z'], ['by', 'bz'], special];
    const { jobs, broken, nextInMs } = claimedOf(answer, ['a', 'b'], 'n');
    const plain = { attempts: 1, stalls: 0, leasedUntil: 1_000 };
    expect(jobs).toEqual([
      { id: 'x', queue: 'a', body: 'bx', priority: 5, token: 'n.10001', ...plain },
      { id: 'y', queue: 'b', body: 'by', priority: 0, token: 'n.10002', ...plain },
      {
        id: 'z',
        queue: 'b',
        body: 'bz',
        priority: 0,
        token: 'n.10003',
        ...plain,
        attempts: 3,
        stalls: 1,
        memo: 'memo',
      },
    ]);
    expect(broken).toEqual([{ queue: 'b', id: 'gone' }]);
    expect(nextInMs).toBeUndefined();
  });

  it('that was lost is read in the order of its tokens', () => {
    const told = (id: string, place: number) => [1, id, `n.${place}`, '{}', 0, 0, 0, ''];
    const jobs = reclaimedOf([5, ...told('c', 10), ...told('a', 1), ...told('b', 2)], ['a']);
    expect(jobs.map(({ id, token, attempts }) => [id, token, attempts])).toEqual([
      ['a', 'n.1', 1],
      ['b', 'n.2', 1],
      ['c', 'n.10', 1],
    ]);
  });
});

describe('effects as text', () => {
  it('come back as they were', () => {
    const effects: Effects = {
      push: [entry({ body: 'half \ud800', lock: { key: 'k', owner: 'o', ttlMs: Infinity }, once: { ttlMs: 5 } })],
      unlock: [{ key: 'k', owner: 'o' }],
      member: { batchId: 'b', jobId: 'j', outcome: 'failed', alsoEnded: ['x'] },
      failure: {
        id: 'j',
        connection: 'c',
        queue: 'q',
        name: 'n',
        displayName: 'd',
        payload: 'p',
        exception: 'e',
        failedAt: new Date(5),
      },
    };
    expect(readEffects(effectsText(effects))).toEqual(effects);
  });
});

describe('settlements whose answer was lost', () => {
  const ack: Settlement = { kind: 'ack', job: job() };
  const release: Settlement = { kind: 'release', job: job({ token: 'other' }), delayMs: 0 };

  it('were accepted where their job is as they would have left it', () => {
    for (const [settlement, refusal, expected] of [
      [ack, 'g', true],
      [ack, 'f', false],
      [ack, 'h', false],
      [release, 'f', true],
      [release, 'g', false],
      [release, 'h', false],
    ] as const) {
      const uncertain = new Uncertain();
      expect(uncertain.wasOurs(settlement, refusal)).toBe(false);
      uncertain.lost([settlement]);
      expect(uncertain.wasOurs(settlement, refusal)).toBe(expected);
      expect(uncertain.wasOurs(settlement, refusal)).toBe(false);
    }
  });

  it('are certain once they have an answer', () => {
    const uncertain = new Uncertain();
    uncertain.lost([ack, release]);
    uncertain.known([ack]);
    expect(uncertain.wasOurs(ack, 'g')).toBe(false);
    expect(uncertain.wasOurs(release, 'f')).toBe(true);
  });
});
