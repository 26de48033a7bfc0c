import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { databaseBackend } from '../../../lib/backends/database/database-backend.js';
import { redisBackend } from '../../../lib/backends/redis/redis-backend.js';
import type { Backend } from '../../../lib/contracts/backend.js';
import { backendContext } from '../../backends/sqlite-harness.js';
import { buildFixture } from '../../support/build-fixture.js';
import { freshRedis, type FreshRedis } from '../../support/shared-redis.js';
import { until } from '../open-app.js';
import { describeSql, SQL_KINDS, type SqlKind } from '../sql-sources.js';

describeSql('an outbox between processes', SQL_KINDS, (source) => {
  let folder: string;
  let redis: FreshRedis;
  let data: DataSource;
  const children: ChildProcess[] = [];
  let told = '';

  async function start(script: string): Promise<ChildProcess> {
    const fixture = await buildFixture('outbox', 'test/fixtures/outbox');
    const { NODE_OPTIONS: _jest, ...inherited } = process.env;
    const {
      driver: _driver,
      entities: _entities,
      synchronize: _no,
      ...plain
    } = source.options('orders') as unknown as Record<string, unknown>;
    const child = fork(join(fixture.folder, `${script}.js`), script === 'worker' ? ['-q'] : [], {
      cwd: folder,
      env: {
        ...inherited,
        OUTBOX_SOURCE: JSON.stringify(plain),
        OUTBOX_REDIS: JSON.stringify({ url: redis.url, prefix: redis.prefix }),
      },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (told += text));
    children.push(child);
    return child;
  }

  beforeEach(async () => {
    told = '';
    folder = mkdtempSync(join(tmpdir(), 'queue-outbox-'));
    redis = await freshRedis();
    const options = source.options('orders') as DataSourceOptions;
    data = await new DataSource(options).initialize();
    const backend = databaseBackend(
      { driver: 'database', dataSource: options as never, table: 'queue_outbox', outbox: true },
      backendContext({ connection: 'installing' }),
    );
    await backend.schema!.install();
    await backend.close();
    await data.query('DELETE FROM orders');
    await data.query('DELETE FROM queue_outbox');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await data.destroy();
    await redis.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const waiting = async (): Promise<number> =>
    Number((await data.query('SELECT count(*) AS n FROM queue_outbox'))[0].n);
  function ledger(): string[] {
    try {
      return readFileSync(join(folder, 'ledger'), 'utf8').split('\n').slice(0, -1);
    } catch {
      return [];
    }
  }
  const orders = (): number[] => ledger().map((line) => Number(line.split(' ')[0]));

  it('loses nothing when the process that committed is killed right behind it', async () => {
    const producer = await start('producer');
    const [, signal] = await once(producer, 'exit');
    expect([signal, told]).toEqual(['SIGKILL', '']);
    expect(await waiting()).toBe(5);
    expect(orders()).toEqual([]);
    await start('worker');
    await until(() => orders().length >= 5, 'all jobs', 20_000);
    expect(orders()).toEqual([1, 2, 3, 4, 5]);
    expect(await waiting()).toBe(0);
  }, 60_000);

  // SQLite has no trigger that waits, and so no moment between the two to be killed in.
  if (source.kind === 'sqlite') return;

  it('runs each job once when the relay is killed between the push and the removal', async () => {
    const producer = await start('producer');
    await once(producer, 'exit');
    for (const statement of slowRemoval(source.kind).on) await data.query(statement);
    const first = await start('worker');
    await until(() => orders().length >= 5, 'all jobs', 20_000);
    // They have been pushed, and even worked; their rows are still there, and their removal is under way.
    expect(await waiting()).toBe(5);
    first.kill('SIGKILL');
    await once(first, 'exit');
    for (const statement of slowRemoval(source.kind).off) await data.query(statement);
    const second = await start('worker');
    await until(async () => (await waiting()) === 0, 'an empty outbox', 30_000);
    const place = { driver: 'redis', url: redis.url, prefix: redis.prefix } as const;
    const backend: Backend = redisBackend(place, backendContext({ connection: 'looking' }));
    await until(async () => (await backend.queue!.size(['default']))[0]!.pending === 0, 'an empty queue');
    await backend.close();
    second.kill('SIGTERM');
    await once(second, 'exit');
    expect(orders()).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(ledger()).size).toBe(5);
  }, 90_000);
});

/** Makes the removal of a row of the outbox last for a minute, and undoes that. */
function slowRemoval(kind: SqlKind): { readonly on: readonly string[]; readonly off: readonly string[] } {
  if (kind === 'postgres') {
    return {
      on: [
        `CREATE FUNCTION slowly() RETURNS trigger AS 'BEGIN PERFORM pg_sleep(60); RETURN OLD; END' LANGUAGE plpgsql`,
        'CREATE TRIGGER slowly BEFORE DELETE ON queue_outbox FOR EACH ROW EXECUTE FUNCTION slowly()',
      ],
      off: [
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'nestjs-queue redis outbox%'`,
        'DROP TRIGGER slowly ON queue_outbox',
        'DROP FUNCTION slowly()',
      ],
    };
  }
  return {
    on: ['CREATE TRIGGER slowly BEFORE DELETE ON queue_outbox FOR EACH ROW DO SLEEP(3)'],
    off: ['DROP TRIGGER slowly'],
  };
}
