import { describe, expect, it } from '@jest/globals';
import { Keyspace } from '../../../lib/backends/redis/keyspace.js';
import type { Arg, Order, Patience, RedisLink, Reply } from '../../../lib/backends/redis/link.js';
import { QueueKeys } from '../../../lib/backends/redis/queue-keys.js';
import { RedisPush } from '../../../lib/backends/redis/redis-push.js';
import type { Script } from '../../../lib/backends/redis/script.js';
import type { LockStore } from '../../../lib/contracts/lock-store.js';
import type { PushEntry, PushResult } from '../../../lib/contracts/queue-driver.js';
import { StoreFullError, StoreUnreachableError } from '../../../lib/contracts/store-errors.js';
import type { QueueError } from '../../../lib/support/queue-error.js';
import { timeOrderedUuid } from '../../../lib/support/time-ordered-uuid.js';

const TIMEOUT_MS = 300;
const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    // What goes on beside for a minute.
    if (ms > 10_000) timer.unref();
  });
const entry = (queue = 'alive', over: Partial<PushEntry> = {}): PushEntry => ({
  id: timeOrderedUuid(Date.now()),
  queue,
  body: '{}',
  delayMs: 0,
  ...over,
});
const old = (queue: string): PushEntry => entry(queue, { id: '01900000-0000-7000-8000-000000000001' });
const stored = { stored: true };

/** Takes every push, but what has to do with a slot that is away gets no answer. */
class FakeLink implements RedisLink {
  readonly pushes: { readonly key: string; readonly args: readonly Arg[] }[] = [];
  readonly away = new Set<string>();
  /** What the next scripts with pushes end with. */
  readonly ends: (Error | undefined)[] = [];
  replyMs = 1;

  constructor(readonly isCluster: boolean) {}

  async run(script: Script, keys: readonly string[], args: readonly Arg[], patience: Patience): Promise<Reply> {
    if (script.name === 'push') this.pushes.push({ key: keys[0]!, args });
    await this.#answer(keys, patience);
    const end = script.name === 'push' ? this.ends.shift() : undefined;
    if (end) throw end;
    return script.name === 'push' ? 0 : [];
  }

  async send(_command: string, args: readonly Arg[], patience: Patience): Promise<Reply> {
    await this.#answer([String(args[0])], patience);
    return ['alive', 'other', 'dead'].filter((name) => !args.includes(name));
  }

  async all(orders: readonly Order[], patience: Patience): Promise<readonly Reply[]> {
    await Promise.all(orders.map((one) => this.#answer('args' in one ? [String(one.args[0])] : [], patience)));
    return orders.map(({ args }) => args.slice(1).map(() => null));
  }

  async #answer(keys: readonly string[], { ms, lost }: Patience): Promise<void> {
    await sleep(this.replyMs);
    if (!keys.some((key) => [...this.away].some((tag) => key.includes(`{${tag}`)))) return;
    await sleep(ms);
    throw new StoreUnreachableError(
      'r',
      'redis',
      new Error('no answer'),
      lost === 'tell' ? { outcome: 'unknown' } : {},
    );
  }
}

function made(isCluster: boolean, locks: Partial<LockStore> = {}) {
  const link = new FakeLink(isCluster);
  const keys = new QueueKeys(new Keyspace('p'), isCluster);
  const push = new RedisPush({
    link,
    keys,
    locks: locks as LockStore,
    connection: 'r',
    dispatchTimeoutMs: TIMEOUT_MS,
  });
  return { link, push };
}

const thrownBy = async (pushing: Promise<readonly PushResult[]>): Promise<QueueError> => {
  const answer: unknown = await pushing.catch((error: unknown) => error);
  expect(answer).toBeInstanceOf(Error);
  return answer as QueueError;
};
const errorOf = (result: PushResult | undefined): QueueError => (result as { error: QueueError }).error;
const isId = (arg: Arg): boolean => typeof arg === 'string' && arg.length === 36;
const ids = (link: FakeLink, queue: string) =>
  link.pushes.filter(({ key }) => key === `p:{${queue}}`).flatMap(({ args }) => args.filter(isId));

describe('pushes to a cluster with a slot that is away', () => {
  it('go on in the other slots, at once and with their own outcome', async () => {
    const { link, push } = made(true);
    link.away.add('dead');
    const dead = thrownBy(push.push([entry('dead')]));
    const from = performance.now();
    expect(await push.push([entry()])).toEqual([stored]);
    expect(await push.push([entry()])).toEqual([stored]);
    expect(performance.now() - from).toBeLessThan(TIMEOUT_MS / 2);
    expect(await dead).toMatchObject({ code: 'ERR_QUEUE_DISPATCH_TIMEOUT', outcome: 'unknown' });
  });

  it('are answered entry by entry where one call has both', async () => {
    const { link, push } = made(true);
    link.away.add('dead');
    const results = await push.push([entry(), entry('dead'), entry('other'), entry('dead')]);
    expect(results.map(({ stored: isStored }) => isStored)).toEqual([true, false, true, false]);
    expect(errorOf(results[1])).toMatchObject({ code: 'ERR_QUEUE_DISPATCH_TIMEOUT', outcome: 'unknown' });
  });

  it('throw one error where all slots say the same', async () => {
    const { link, push } = made(true);
    link.away.add('dead').add('other');
    expect(await thrownBy(push.push([entry('dead'), entry('other')]))).toMatchObject({ outcome: 'unknown' });
  });

  it('that waited behind it for all of their time are not sent', async () => {
    const { link, push } = made(true);
    link.away.add('dead');
    const first = thrownBy(push.push([entry('dead')]));
    await sleep(5);
    const second = await thrownBy(push.push([entry('dead')]));
    expect(await first).toMatchObject({ outcome: 'unknown' });
    expect(second.code).toBe('ERR_QUEUE_DISPATCH_TIMEOUT');
    // Its few ms more than the first are not enough to be sent into the dark, or it is told so.
    expect(second.outcome === 'unknown').toBe(link.pushes.length === 2);
  });

  it('do without the list of names for a while', async () => {
    const { link, push } = made(true);
    link.away.add('!queues');
    expect(await push.push([entry()])).toEqual([stored]);
  });

  it('fail for ids that must be looked up there alone', async () => {
    const { link, push } = made(true);
    await push.push([entry('dead')]);
    link.away.add('dead');
    const lookedUp = thrownBy(push.push([old('alive')]));
    expect(await push.push([entry('other')])).toEqual([stored]);
    const fresh = push.push([old('alive'), entry()]);
    const error = await lookedUp;
    expect(error.outcome).toBeUndefined();
    const [, mate] = await fresh;
    expect(mate).toEqual(stored);
    expect(ids(link, 'alive')).toHaveLength(1);
  });

  it('do not wait long for a lock there', async () => {
    const waits = new StoreUnreachableError('r', 'redis', new Error('no answer'));
    const acquire = () => sleep(1_500).then(() => Promise.reject(waits));
    const { push } = made(true, { acquire });
    const lock = { key: 'k', owner: 'o', ttlMs: 1_000 };
    const locked = thrownBy(push.push([entry('alive', { lock })]));
    await sleep(20);
    const from = performance.now();
    expect(await push.push([entry('other')])).toEqual([stored]);
    expect(performance.now() - from).toBeLessThan(TIMEOUT_MS / 5);
    expect(await push.push([entry()])).toEqual([stored]);
    const more = thrownBy(push.push([entry('alive', { lock })]));
    expect(await push.push([entry()])).toEqual([stored]);
    expect(performance.now() - from).toBeLessThan(TIMEOUT_MS);
    expect((await more).outcome).toBeUndefined();
    expect((await locked).outcome).toBeUndefined();
    expect(performance.now() - from).toBeGreaterThan(1_000);
  });
});

describe('pushes in order', () => {
  it('share trips, and keep the order of each queue', async () => {
    for (const isCluster of [false, true]) {
      const { link, push } = made(isCluster);
      const some = Array.from({ length: 60 }, (_, at) => entry(at % 3 === 0 ? 'alive' : 'other'));
      const own: Record<string, Set<Arg>> = { alive: new Set(), other: new Set() };
      for (const { id, queue } of some) own[queue]!.add(id);
      const pushing: Promise<unknown>[] = [];
      for (const one of some) {
        pushing.push(push.push([one]));
        if (pushing.length % 7 === 0) await sleep(1);
      }
      await Promise.all(pushing);
      // Without a cluster all queues share one order.
      for (const queues of isCluster ? [['alive'], ['other']] : [['alive', 'other']]) {
        const sent = link.pushes.filter(({ args }) => args.some((arg) => queues.some((queue) => own[queue]!.has(arg))));
        expect(sent.flatMap(({ args }) => args.filter(isId))).toEqual(
          some.filter(({ queue }) => queues.includes(queue)).map(({ id }) => id),
        );
      }
      expect(link.pushes.length).toBeLessThan(60);
    }
  });

  it('one at a time for each slot', async () => {
    const { link, push } = made(true);
    link.replyMs = 20;
    await push.push([entry(), entry('other')]);
    link.pushes.length = 0;
    const pushing = [push.push([entry()]), push.push([entry('other')])];
    await sleep(2);
    pushing.push(push.push([entry()]));
    await sleep(2);
    expect(link.pushes.map(({ key }) => key)).toEqual(['p:{alive}', 'p:{other}']);
    await Promise.all(pushing);
    expect(link.pushes).toHaveLength(3);
  });

  it('take an id that is on its way to one queue for no other', async () => {
    const { push } = made(true);
    const [one, other, again] = await Promise.all(
      [old('alive'), old('other'), old('alive')].map((some) => push.push([some])),
    );
    expect([one, other, again]).toEqual([[stored], [{ stored: false, reason: 'exists' }], [stored]]);
    expect(await push.push([old('other'), old('alive')])).toEqual([stored, { stored: false, reason: 'exists' }]);
  });
});

describe('a bulk of several scripts', () => {
  const lost = new StoreUnreachableError('r', 'redis', new Error('read ECONNRESET'), { outcome: 'unknown' });

  it('knows which of them were not sent', async () => {
    const { link, push } = made(false);
    link.ends.push(undefined, lost);
    const results = await push.push(Array.from({ length: 3_500 }, () => entry()));
    expect(link.pushes).toHaveLength(2);
    expect(results[999]).toEqual(stored);
    expect(errorOf(results[1_000])).toBe(lost);
    expect(errorOf(results[1_999])).toBe(lost);
    for (const at of [2_000, 3_499]) {
      expect(errorOf(results[at]).code).toBe('ERR_QUEUE_STORE_UNREACHABLE');
      expect(errorOf(results[at]).outcome).toBeUndefined();
      expect(errorOf(results[at]).message).not.toContain('not known');
    }
  });

  it('knows so where the first was lost, and tells each dispatch of its own job', async () => {
    const { link, push } = made(false);
    link.ends.push(lost);
    const first = thrownBy(push.push(Array.from({ length: 1_000 }, () => entry())));
    const second = thrownBy(push.push([entry()]));
    expect(await first).toBe(lost);
    expect(await second).toMatchObject({ code: 'ERR_QUEUE_STORE_UNREACHABLE' });
    expect((await second).outcome).toBeUndefined();
  });

  it('throws the one error where nothing was stored', async () => {
    const { link, push } = made(false);
    const full = new StoreFullError('r', new Error('OOM'));
    link.ends.push(full);
    expect(await thrownBy(push.push(Array.from({ length: 2_000 }, () => entry())))).toBe(full);
  });
});
