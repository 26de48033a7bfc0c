import assert from 'node:assert/strict';
import type { ConformanceCase } from './conformance-case.js';
import {
  accepted,
  clearing,
  entries,
  entry,
  idsOf,
  inspection,
  lockStore,
  present,
  queueCase,
  sameIds,
} from './queue-probe.js';

const again = { stored: false, reason: 'exists' };

export const pushCases: readonly ConformanceCase[] = [
  queueCase('a pushed job comes back as it was pushed, once', async (queue) => {
    const one = entry({ body: '{"name":"ProcessPodcast"}', priority: 3 });
    await queue.push(one);
    const [job, ...others] = await queue.take();
    assert.equal(others.length, 0);
    assert.ok(job);
    assert.equal(job.id, one.id);
    assert.equal(job.queue, 'default');
    assert.equal(job.body, one.body);
    assert.equal(job.priority, 3);
    assert.equal(job.attempts, 1);
    assert.equal(job.stalls, 0);
    assert.equal(job.memo ?? '', '');
    accepted(await queue.ack(job));
    assert.deepEqual(await queue.take(), []);
  }),

  queueCase('empty calls are answered with empty lists', async (queue) => {
    assert.deepEqual(await queue.driver.push([]), []);
    assert.deepEqual(await queue.driver.settle([]), []);
    assert.deepEqual(await queue.driver.size([]), []);
    assert.deepEqual(await queue.driver.reserve(queue.request({ queues: [] })), []);
  }),

  queueCase('answers of a push are aligned with its entries', async (queue) => {
    const [a, b, c, d] = entries(4);
    await queue.push(b!, d!);
    const answers = await queue.tryPush(a!, b!, c!, d!);
    assert.deepEqual(answers, [{ stored: true }, again, { stored: true }, again]);
    sameIds(await queue.take(), [a!, b!, c!, d!]);
  }),

  queueCase('a repeat of a push is a no-op while the job waits', async (queue) => {
    const one = entry({ body: 'first' });
    await queue.push(one);
    assert.deepEqual(await queue.tryPush({ ...one, body: 'second' }), [again]);
    assert.deepEqual(await queue.tryPush({ ...one, queue: 'elsewhere', body: 'third' }), [again]);
    const jobs = await queue.take({ queues: ['default', 'elsewhere'] });
    assert.deepEqual(
      jobs.map((job) => [job.queue, job.body]),
      [['default', 'first']],
    );
  }),

  queueCase('a repeat within one call is a no-op', async (queue) => {
    const one = entry();
    const other = entry();
    assert.deepEqual(await queue.tryPush(one, other, one), [{ stored: true }, { stored: true }, again]);
    assert.deepEqual(idsOf(await queue.take()), [one.id, other.id]);
  }),

  queueCase('a repeat of a delayed job is a no-op and does not make it due', async (queue) => {
    const one = entry({ delayMs: 60_000 });
    await queue.push(one);
    assert.deepEqual(await queue.tryPush({ ...one, delayMs: 0 }), [again]);
    assert.deepEqual(await queue.take(), []);
  }),

  queueCase('a repeat of a reserved job is a no-op and does not free it', async (queue) => {
    const one = entry();
    await queue.push(one);
    const job = await queue.takeOne();
    assert.deepEqual(await queue.tryPush(one), [again]);
    assert.deepEqual(await queue.take(), []);
    accepted(await queue.ack(job));
    assert.deepEqual(await queue.take(), []);
  }),

  queueCase('an id is free again once its job has ended', async (queue) => {
    const one = entry();
    await queue.push(one);
    accepted(await queue.ack(await queue.takeOne()));
    await queue.push(one);
    assert.equal((await queue.takeOne()).attempts, 1);
  }),

  queueCase('an id pushed with `once` is remembered past its ack', async (queue) => {
    const one = entry({ once: { ttlMs: 86_400_000 } });
    await queue.push(one);
    accepted(await queue.ack(await queue.takeOne()));
    assert.deepEqual(await queue.tryPush(one, one), [again, again]);
    assert.deepEqual(await queue.take(), []);
  }),

  queueCase('a push without `once` may use a remembered id again: somebody retries the job by hand', async (queue) => {
    const one = entry({ once: { ttlMs: 86_400_000 } });
    await queue.push(one);
    accepted(await queue.ack(await queue.takeOne()));
    await queue.push(entry({ id: one.id }));
    accepted(await queue.ack(await queue.takeOne()));
    assert.deepEqual(await queue.tryPush(one), [again]);
  }),

  queueCase(
    'an id pushed with `once` is remembered past a clear',
    async (queue) => {
      const one = entry({ once: { ttlMs: 86_400_000 } });
      await queue.push(one);
      await present(queue.driver.clearing, 'clearing').clear('default');
      assert.deepEqual(await queue.tryPush(one), [again]);
      assert.deepEqual(await queue.take(), []);
    },
    clearing,
  ),

  queueCase(
    'a push takes its lock, and tells who holds one that is taken',
    async (queue, backend) => {
      const locks = present(backend.locks, 'lock store');
      const lock = { key: 'unique:podcast:1', owner: 'a', ttlMs: 60_000 };
      await queue.push(entry({ lock }));
      assert.equal(await locks.owner(lock.key), 'a');
      const [answer] = await queue.tryPush(entry({ lock: { ...lock, owner: 'b' } }));
      assert.deepEqual(answer, { stored: false, reason: 'locked', by: 'a' });
      assert.equal((await queue.take()).length, 1);
      assert.equal(await locks.owner(lock.key), 'a');
    },
    lockStore,
  ),

  queueCase(
    'of two entries of one call that want the same lock the first gets it, and their neighbours are stored',
    async (queue) => {
      const lock = { key: 'unique:podcast:1', owner: 'a', ttlMs: 60_000 };
      const good = entries(2);
      const first = entry({ lock });
      const answers = await queue.tryPush(good[0]!, first, entry({ lock: { ...lock, owner: 'b' } }), good[1]!);
      assert.deepEqual(answers, [
        { stored: true },
        { stored: true },
        { stored: false, reason: 'locked', by: 'a' },
        { stored: true },
      ]);
      assert.deepEqual(idsOf(await queue.take()), [good[0]!.id, first.id, good[1]!.id]);
    },
    lockStore,
  ),

  queueCase(
    'a lock that was given back, or that ran out, can be taken by the next push',
    async (queue, backend, harness) => {
      const locks = present(backend.locks, 'lock store');
      const lock = { key: 'unique', owner: 'a', ttlMs: 300 };
      await queue.push(entry({ lock }));
      assert.equal(await locks.release('unique', 'a'), true);
      await queue.push(entry({ lock: { ...lock, owner: 'b' } }));
      await harness.advance(500);
      await queue.push(entry({ lock: { ...lock, owner: 'c' } }));
      assert.equal((await queue.take()).length, 3);
    },
    lockStore,
  ),

  queueCase(
    'a repeat of a push does not take the lock again',
    async (queue, backend) => {
      const locks = present(backend.locks, 'lock store');
      const one = entry({ lock: { key: 'unique', owner: 'a', ttlMs: 60_000 } });
      await queue.push(one);
      assert.equal(await locks.release('unique', 'a'), true);
      assert.deepEqual(await queue.tryPush(one), [again]);
      assert.equal(await locks.owner('unique'), undefined);
      assert.equal(await locks.acquire('unique', 'b', 60_000), true);
      assert.deepEqual(await queue.tryPush(one), [again], 'a repeat is answered as a repeat, whoever has the lock');
    },
    lockStore,
  ),

  queueCase(
    'a clear gives the locks back that its jobs still own',
    async (queue, backend) => {
      const locks = present(backend.locks, 'lock store');
      await queue.push(
        entry({ lock: { key: 'waiting', owner: 'a', ttlMs: Infinity } }),
        entry({ lock: { key: 'taken over', owner: 'b', ttlMs: 60_000 } }),
        entry({ lock: { key: 'delayed', owner: 'c', ttlMs: 60_000 }, delayMs: 60_000 }),
      );
      await locks.replace('taken over', 'somebody else', 60_000);
      await present(queue.driver.clearing, 'clearing').clear('default');
      assert.equal(await locks.owner('waiting'), undefined);
      assert.equal(await locks.owner('delayed'), undefined);
      assert.equal(await locks.owner('taken over'), 'somebody else');
    },
    lockStore,
    clearing,
  ),

  queueCase(
    'a remove gives the lock back that its job still owns, of a reserved job too',
    async (queue, backend) => {
      const locks = present(backend.locks, 'lock store');
      const inspect = present(queue.driver.inspection, 'inspection');
      const one = entry({ lock: { key: 'one', owner: 'a', ttlMs: 60_000 } });
      const two = entry({ lock: { key: 'two', owner: 'b', ttlMs: 60_000 } });
      await queue.push(one, two);
      await queue.takeOne();
      assert.equal(await inspect.remove(one.id), true);
      assert.equal(await inspect.remove(two.id), true);
      assert.equal(await locks.owner('one'), undefined);
      assert.equal(await locks.owner('two'), undefined);
    },
    lockStore,
    inspection,
  ),

  queueCase('an entry that cannot be stored is answered with `error` and does not sink the others', async (queue) => {
    const good = entries(3);
    const answers = await queue.tryPush(good[0]!, entry({ delayMs: NaN }), good[1]!, entry({ delayMs: NaN }), good[2]!);
    assert.deepEqual(
      answers.map((answer) => (answer.stored ? 'stored' : answer.reason)),
      ['stored', 'error', 'stored', 'error', 'stored'],
    );
    assert.deepEqual(idsOf(await queue.take()), idsOf(good));
  }),

  queueCase(
    'a body above the limit is answered with `error` and does not sink the others',
    async (queue) => {
      const good = entries(2);
      // Two bytes a character: a limit counted in characters would let it pass.
      const large = 'é'.repeat(Math.floor(queue.driver.limits.bodyBytes / 2) + 1);
      const answers = await queue.tryPush(good[0]!, entry({ body: large }), good[1]!);
      assert.deepEqual(
        answers.map((answer) => (answer.stored ? 'stored' : answer.reason)),
        ['stored', 'error', 'stored'],
      );
      assert.deepEqual(idsOf(await queue.take()), idsOf(good));
    },
    (backend) => (Number.isFinite(backend.queue?.limits.bodyBytes) ? undefined : 'the driver takes bodies of any size'),
  ),

  queueCase('a thousand entries in one call are all stored, in order', async (queue) => {
    const many = Array.from({ length: 1_000 }, (_, index) => entry({ body: String(index) }));
    await queue.push(...many);
    assert.equal((await queue.size()).pending, 1_000);
    assert.deepEqual(idsOf(await queue.take({ limit: 1_000 })), idsOf(many));
  }),
];
