import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { databaseBackend } from '../../../lib/backends/database/database-backend.js';
import type { ConnectionManager } from '../../../lib/connections/connection-manager.js';
import { PayloadTooLargeError } from '../../../lib/connections/fit-driver.js';
import type { FailedJob } from '../../../lib/contracts/failed-job-store.js';
import { FailedJobs } from '../../../lib/operations/failed-jobs.js';
import { openManager } from '../connections/open-manager.js';

const NOW = Date.UTC(2030, 0, 1);

let folder: string;
let manager: ConnectionManager;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'retry-many-'))));
afterEach(async () => {
  await manager.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(options: object = {}) {
  const dataSource = { type: 'better-sqlite3', database: join(folder, 'queue.sqlite') };
  const opened = openManager(
    { default: 'database', connections: { database: { driver: 'database', dataSource } }, ...options },
    { drivers: { database: () => databaseBackend as never } },
  );
  ({ manager } = opened);
  return new FailedJobs({ connections: manager, hub: opened.hub, refreshRetryUntil: async () => undefined });
}

function failure(n: number, more: Partial<FailedJob> = {}): FailedJob {
  const id = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  return {
    id,
    connection: 'database',
    queue: 'mails',
    name: 'Send',
    displayName: 'Send',
    payload: JSON.stringify({ v: 1, uuid: id, name: 'Send', displayName: 'Send', data: {}, createdAt: NOW }),
    exception: 'Error: no',
    failedAt: new Date(NOW + n),
    ...more,
  };
}

describe('retrying very many', () => {
  it('sends ten thousand in their order, flat in memory, and tells how far it is', async () => {
    const failed = open();
    const store = await manager.failed();
    // 100 MB in all: no process that had them in hand at once would stay below the mark.
    const exception = 'x'.repeat(10_000);
    for (let at = 0; at < 10_000; at += 500) {
      await store.record(Array.from({ length: 500 }, (_, n) => failure(at + n, { exception })));
    }
    const told: number[] = [];
    let most = 0;
    const before = process.memoryUsage().heapUsed;
    const begun = performance.now();
    const retried = await failed.retryAll({}, (done, total) => {
      expect(total).toBe(10_000);
      told.push(done);
      if (told.length % 10 === 0) most = Math.max(most, process.memoryUsage().heapUsed - before);
    });
    expect(retried).toBe(10_000);
    expect(performance.now() - begun).toBeLessThan(30_000);
    expect(most).toBeLessThan(100_000_000);
    expect([told.length > 50, told.at(-1)]).toEqual([true, 10_000]);
    expect([...told]).toEqual([...told].sort((a, b) => a - b));
    expect(await failed.count()).toBe(0);
    const connection = manager.get('database');
    expect(await connection.size('mails')).toMatchObject({ pending: 10_000 });
    const { jobs } = await (await connection.inspection()).page('mails', 'pending', { limit: 200 });
    expect(jobs.map(({ id }) => id)).toEqual(Array.from({ length: 200 }, (_, n) => failure(n).id));
  }, 60_000);

  it('asks a store that takes nothing once, and sends the others', async () => {
    const failed = open();
    const store = await manager.failed();
    const away = manager.get('memory');
    let asked = 0;
    away.pushEntries = () => Promise.reject(new Error(`away ${(asked += 1)}`));
    await store.record(Array.from({ length: 500 }, (_, n) => failure(n, n % 2 ? { connection: 'memory' } : {})));
    await expect(failed.retryAll()).rejects.toMatchObject({ retried: 250, total: 500, message: /: away 1$/ });
    expect([asked, await failed.count(), await failed.count({ connection: 'memory' })]).toEqual([1, 250, 250]);
  });

  it('one that fills its limit is sent as it was', async () => {
    const plain = failure(1);
    const failed = open({ maxPayload: plain.payload.length });
    await (await manager.failed()).record([plain, failure(2, { payload: `${plain.payload}   ` })]);
    const error = (await failed.retryAll().catch((thrown: unknown) => thrown)) as { retried: number; cause: unknown };
    expect([error.retried, error.cause instanceof PayloadTooLargeError]).toEqual([1, true]);
    const { jobs } = await (await manager.get('database').inspection()).page('mails', 'pending', { limit: 5 });
    expect(jobs.map(({ body }) => body)).toEqual([plain.payload]);
  });
});
