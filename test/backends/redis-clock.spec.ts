import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startRedis, type RedisServer } from '../support/redis-servers.mjs';
import { describeRedis, START_LIMIT_MS } from '../support/shared-redis.js';
import { ackAll, entries, entry, LONG_MS, push, RedisBackends, sleep, until } from './redis-harness.js';
import { request } from './sqlite-harness.js';

const HOUR_S = 3_600;
const SOURCE = fileURLToPath(new URL('../support/clock-offset.c', import.meta.url));
// libfaketime and the allocator of Debian's Redis wait for each other at the start, so a few lines of C do it here.
const hasCompiler = process.platform === 'linux' && spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;

if (!hasCompiler) console.info('Skipped: redis on a server whose clock jumps: that takes Linux and a C compiler (cc).');

(hasCompiler ? describe : describe.skip)('a clock that can be moved', () => {
  describeRedis('redis on a server whose clock jumps', () => {
    const folder = mkdtempSync(join(tmpdir(), 'queue-clock-'));
    const file = join(folder, 'offset');
    let server: RedisServer;
    const backends = new RedisBackends(() => ({ url: server.url }));

    async function serverNow(): Promise<number> {
      const [seconds] = (await server.command('TIME')) as string[];
      return Number(seconds) * 1_000;
    }

    async function jump(seconds: number): Promise<void> {
      writeFileSync(file, String(seconds));
      const there = async (): Promise<boolean> => Math.abs((await serverNow()) - Date.now() - seconds * 1_000) < 2_000;
      await until(there, `a clock that is ${seconds} s off`);
    }

    beforeAll(async () => {
      const library = join(folder, 'clock-offset.so');
      const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-o', library, SOURCE]);
      if (status !== 0) throw new Error(`cc could not compile ${SOURCE}:\n${String(stderr)}`);
      writeFileSync(file, '0');
      server = await startRedis({ env: { LD_PRELOAD: library, CLOCK_OFFSET_FILE: file } });
    }, START_LIMIT_MS);
    afterEach(async () => {
      await backends.close();
      await jump(0);
      await server.command('FLUSHALL');
    }, LONG_MS);
    afterAll(async () => {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    });

    it(
      'an hour back: jobs are taken, renewed and ended as before; a delayed one is late by the step, and not lost',
      async () => {
        const worker = backends.open();
        const [due, held, later] = entries(3);
        await push(worker, held!);
        const [first] = await worker.queue!.reserve(request({ leaseMs: 5_000 }));
        await push(worker, due!, entry({ ...later!, delayMs: 1_000 }));
        await jump(-HOUR_S);

        const at = performance.now();
        const jobs = await worker.queue!.reserve(request({ waitMs: 2_000 }));
        expect(jobs.map(({ id }) => id)).toEqual([due!.id]);
        expect(performance.now() - at).toBeLessThan(1_000);
        expect(await worker.queue!.leases!.renew([first!], 30_000)).toEqual([{ ok: true }]);
        await ackAll(worker, [first!, ...jobs]);
        const fresh = entry();
        await push(worker, fresh);
        const waiting = worker.queue!.reserve(request({ waitMs: 3_000 }));
        const [got] = await waiting;
        expect(got!.id).toBe(fresh.id);
        // By the clock of the server, like everything.
        expect(Math.abs(got!.leasedUntil - 30_000 - (await serverNow()))).toBeLessThan(2_000);
        await ackAll(worker, [got!]);
        await sleep(1_200);
        expect(await worker.queue!.reserve(request())).toEqual([]);
        expect((await worker.queue!.size(['default']))[0]).toMatchObject({ pending: 0, delayed: 1, reserved: 0 });

        await jump(0);
        const [last] = await worker.queue!.reserve(request({ waitMs: 3_000 }));
        expect(last!.id).toBe(later!.id);
        await ackAll(worker, [last!]);
      },
      LONG_MS,
    );

    it(
      'an hour ahead: what was leased is given to somebody else, once, and the first holder is told',
      async () => {
        const worker = backends.open();
        await push(worker, entry());
        const [held] = await worker.queue!.reserve(request({ leaseMs: 5_000 }));
        await jump(HOUR_S);
        const [again] = await worker.queue!.reserve(request({ waitMs: 2_000 }));
        expect(again).toMatchObject({ id: held!.id, attempts: 2, stalls: 1 });
        expect(await worker.queue!.settle([{ kind: 'ack', job: held! }])).toEqual([
          { ok: false, reason: 'lease-lost' },
        ]);
        await ackAll(worker, [again!]);
      },
      LONG_MS,
    );

    it(
      'a worker that waits is woken through a step back, by a push and by what falls due',
      async () => {
        const worker = backends.open();
        const waiting = worker.queue!.reserve(request({ waitMs: 15_000 }));
        await sleep(200);
        await jump(-HOUR_S);
        const at = performance.now();
        await push(backends.open(), entry());
        await ackAll(worker, await waiting);
        expect(performance.now() - at).toBeLessThan(1_000);
        await push(worker, entry({ delayMs: 700 }));
        const began = performance.now();
        await ackAll(worker, await worker.queue!.reserve(request({ waitMs: 10_000 })));
        expect(performance.now() - began).toBeGreaterThan(500);
        expect(performance.now() - began).toBeLessThan(2_500);
      },
      LONG_MS,
    );
  });
});
