import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Line } from '../../fixtures/processes/ledger.js';
import { Site, SITE_STORES, type Child, type Producer, type SiteStore } from './site.js';

const LEASE_MS = 2_000;
/** The flags of a worker whose jobs may take one second, and one more to end. */
const SHORT = ['--timeout=1', '--timeout-grace=1'];
/** Timeout and grace together. */
const LIMIT_MS = 2_000;
/** Not promised: what a machine with more processes than cores may add. */
const MACHINE_MS = 2_000;

let site: Site;
let producer: Producer;

/** Tests of processes that share a store of this kind. */
function on(store: SiteStore, tests: () => void): void {
  describe(`on ${store}`, () => {
    beforeEach(async () => {
      site = await Site.open({ RETRY_AFTER: String(LEASE_MS / 1_000) }, store);
      producer = await site.producer();
    }, 60_000);
    afterEach(() => site.close());
    tests();
  });
}

for (const store of SITE_STORES) {
  on(store, () => {
    describe('a handler that blocks the event loop', () => {
      it('for longer than the lease and within its timeout runs once, and so does what waits behind it', async () => {
        // The timeout is the default, a minute: thirty leases.
        const [spin, waiting] = await producer.dispatch(['Spin', 3 * LEASE_MS], ['Tick']);
        const blocked = await site.worker('blocked', '--prefetch=1');
        await site.seen('start', spin!);
        await site.worker('idle');
        await site.seen('processed', waiting!);

        expect(told(spin!)).toEqual(['start', 'end', 'processed']);
        expect(told(waiting!)).toEqual(['start', 'end', 'processed']);
        expect(workersOf(spin!, waiting!)).toEqual(['blocked']);
        expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
        expect(blocked.err).toBe('');
        expect(await blocked.end('SIGTERM')).toMatchObject({ code: 0 });
      }, 60_000);

      it('past timeout and grace ends its process; with no try left the next worker records it and does not run it', async () => {
        const blocked = await site.worker('blocked', ...SHORT, '--backoff=600');
        const [id] = await producer.dispatch(['Spin', 600_000]);
        const { at: startedAt } = await site.seen('start', id!);
        const ended = await blocked.ended;
        expect(ended).toMatchObject({ code: null, signal: 'SIGKILL' });
        expect(Date.now() - startedAt).toBeGreaterThanOrEqual(LIMIT_MS);
        expect(Date.now() - startedAt).toBeLessThan(LIMIT_MS + MACHINE_MS);
        expect(ended.err.trimEnd().split('\n')).toEqual([
          expect.stringMatching(
            `^nestjs-queue: Spin \\[${id}\\] ran past its timeout of 1 s and the grace of 1 s, and the event loop has been blocked for [\\d.]+ s\\. The process is ended \\(SIGKILL\\)\\. The job counts as timed out\\.$`,
          ),
        ]);

        // What is only recorded waits for no backoff, whatever the worker's is.
        await site.worker('next', ...SHORT, '--backoff=600');
        const failed = await site.seen('failed', id!);
        expect(failed.at - startedAt).toBeLessThan(LIMIT_MS + 2 * MACHINE_MS + 3_000);
        await sleep(500);
        expect(site.lines(undefined, id).map(({ by, what, attempt, info }) => [by, what, attempt, info])).toEqual([
          ['blocked', 'start', 1, undefined],
          ['next', 'timed-out', 1, 1],
          ['next', 'failed-hook', undefined, 'TimeoutExceededError'],
          ['next', 'failed', 1, 'TimeoutExceededError'],
          ['next', 'exception', 1, 'TimeoutExceededError'],
        ]);
        expect(await site.exceptions()).toEqual([expect.stringMatching(/^TimeoutExceededError: Spin has timed out\./)]);
        expect(await site.left()).toEqual({ jobs: 0, failed: 1 });
      }, 60_000);

      it('past it at each of two tries runs twice in all', async () => {
        const [id] = await producer.dispatch(['Spin', 600_000]);
        for (const name of ['first', 'second']) {
          const worker = await site.worker(name, ...SHORT, '--tries=2');
          expect(await worker.ended).toMatchObject({ signal: 'SIGKILL' });
        }
        await site.worker('third', ...SHORT, '--tries=2');
        await site.seen('failed', id!);
        expect(starts(id!)).toEqual([
          ['first', 1],
          ['second', 2],
        ]);
        expect(site.lines('failed').map(({ by, attempt, info }) => [by, attempt, info])).toEqual([
          ['third', 2, 'TimeoutExceededError'],
        ]);
        expect(await site.exceptions()).toHaveLength(1);
        expect(await site.left()).toEqual({ jobs: 0, failed: 1 });
      }, 60_000);

      it('past it, beside others: those go back as they were, and run elsewhere', async () => {
        const [running, spin, waiting] = await producer.dispatch(['Nap', 900], ['Spin', 600_000], ['Tick']);
        const blocked = site.start('worker', 'blocked', ['-q', ...SHORT, '--concurrency=2', '--prefetch=1']);
        const ended = await blocked.ended;
        expect(ended.signal).toBe('SIGKILL');
        expect(ended.err).toContain(`Spin [${spin}] ran past`);
        expect(ended.err).toContain('It takes 2 other jobs along, uncounted, which will run again.');

        await site.worker('next', ...SHORT);
        for (const id of [running, waiting]) await site.seen('processed', id!);
        await site.seen('failed', spin!);
        // Its attempt was given back, so this one is the first again.
        expect(starts(running!)).toEqual([
          ['blocked', 1],
          ['next', 1],
        ]);
        expect(starts(waiting!)).toEqual([['next', 1]]);
        expect(starts(spin!)).toEqual([['blocked', 1]]);
        expect(site.lines('failed').map(({ id }) => id)).toEqual([spin]);
        expect(await site.left()).toEqual({ jobs: 0, failed: 1 });
      }, 60_000);
    });
  });
}

on('sqlite', () => {
  describe('a handler that blocks the event loop', () => {
    it('again and again, with no more than a breath between, keeps its lease all the same', async () => {
      await site.worker('blocked');
      const [first] = await producer.dispatch(['Spin', 1.5 * LEASE_MS]);
      await site.seen('start', first!);
      await site.worker('idle');
      await site.seen('processed', first!);
      const more = await producer.dispatch(...[1, 2, 3, 4].map(() => ['LateSpin', 30, 1.5 * LEASE_MS] as const));
      for (const id of more) await site.seen('processed', id);
      for (const id of more) expect(told(id)).toEqual(['start', 'end', 'processed']);
    }, 60_000);

    it('past it, after a while in which it did not: the same', async () => {
      const blocked = await site.worker('blocked', ...SHORT);
      const [id] = await producer.dispatch(['LateSpin', 600, 600_000]);
      expect(await blocked.ended).toMatchObject({ signal: 'SIGKILL' });
      await site.worker('next', ...SHORT);
      expect(await site.seen('failed', id!)).toMatchObject({ by: 'next', info: 'TimeoutExceededError' });
      expect(starts(id!)).toEqual([['blocked', 1]]);
    }, 60_000);

    it('without a timeout keeps its lease for one lease of silence, and its process', async () => {
      const blocked = await site.worker('blocked', '--timeout=0');
      const [id] = await producer.dispatch(['Spin', 5 * LEASE_MS, 100]);
      const { at } = await site.seen('start', id!);
      await site.worker('other', '--timeout=0');
      const again = await site.seen('start', id!, 'other');
      expect(again.at - at).toBeGreaterThan(LEASE_MS);
      expect(again.at - at).toBeLessThan(2 * LEASE_MS + 500 + MACHINE_MS);
      await site.seen('processed', id!, 'other');
      await site.seen('lease-lost', id!, 'blocked');
      expect(blocked.running).toBe(true);
      expect(starts(id!)).toHaveLength(2);
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    }, 60_000);
  });

  describe('without a watchdog', () => {
    it('a blocked worker loses its lease, and the job runs elsewhere as after a crash', async () => {
      const blocked = await site.worker('blocked', '--no-watchdog', ...SHORT);
      const [id] = await producer.dispatch(['Spin', 3 * LEASE_MS, 100]);
      await site.seen('start', id!);
      await site.worker('other');
      expect(await site.seen('start', id!, 'other')).toMatchObject({ attempt: 2 });
      await site.seen('lease-lost', id!, 'blocked');
      await site.seen('processed', id!, 'other');
      expect(blocked.err).toBe('');
      expect(starts(id!)).toHaveLength(2);
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    }, 60_000);
  });

  describe('a worker inside an application', () => {
    const options = { timeout: 1, timeoutGrace: 1 };

    async function app(worker: object): Promise<Child> {
      const child = site.start('in-app', 'app', [], { env: { IN_APP_WORKER: JSON.stringify(worker) } });
      await site.working('app', child);
      return child;
    }

    it('is not ended with a handler that blocks it: the job is taken from it, and that is said once', async () => {
      const blocked = await app(options);
      const [id] = await producer.dispatch(['Spin', 4 * LEASE_MS]);
      await site.seen('start', id!);
      await site.worker('other', ...SHORT);
      expect(await site.seen('failed', id!)).toMatchObject({ by: 'other', attempt: 1, info: 'TimeoutExceededError' });
      expect(site.lines('end', id)).toEqual([]);
      await site.seen('lease-lost', id!, 'app');
      expect(blocked.running).toBe(true);
      expect(blocked.err.match(/ran past its timeout/g)).toHaveLength(1);
      expect(blocked.err).toContain('exitWhenStuck: true');
      expect(starts(id!)).toEqual([['app', 1]]);
      expect(await site.left()).toEqual({ jobs: 0, failed: 1 });

      // Once it is at large again it works as before.
      const [next] = await producer.dispatch(['Tick']);
      await site.seen('processed', next!);
    }, 60_000);

    it('is ended with exitWhenStuck', async () => {
      const blocked = await app({ ...options, exitWhenStuck: true });
      const [id] = await producer.dispatch(['Spin', 600_000]);
      expect(await blocked.ended).toMatchObject({ signal: 'SIGKILL' });
      await site.worker('other', ...SHORT);
      expect(await site.seen('failed', id!)).toMatchObject({ by: 'other' });
      expect(starts(id!)).toEqual([['app', 1]]);
    }, 60_000);
  });

  describe('a process that was stopped as a whole', () => {
    it('for longer than timeout and grace is not taken for a blocked one', async () => {
      const stopped = await site.worker('stopped', ...SHORT);
      const [id] = await producer.dispatch(['Stroll', 600]);
      await site.seen('start', id!);
      stopped.kill('SIGSTOP');
      await sleep(LIMIT_MS + 2_500);
      stopped.kill('SIGCONT');
      await site.seen('processed', id!);
      await sleep(1_000);
      expect(stopped.running).toBe(true);
      expect(stopped.err).toBe('');
      expect(starts(id!)).toEqual([['stopped', 1]]);
    }, 60_000);
  });
});

function told(id: string): readonly string[] {
  return site.lines(undefined, id).map(({ what }) => what);
}

function starts(id: string): readonly (readonly [string, number | undefined])[] {
  return site.lines('start', id).map(({ by, attempt }: Line) => [by, attempt] as const);
}

function workersOf(...ids: readonly string[]): readonly string[] {
  return [...new Set(ids.flatMap((id) => site.lines(undefined, id)).map(({ by }) => by))];
}
