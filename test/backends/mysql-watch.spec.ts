import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mysqlDialect } from '../../lib/backends/database/mysql/mysql-dialect.js';
import { openWatch } from '../../lib/backends/database/mysql/mysql-watch.js';
import type { OwnLink } from '../../lib/backends/database/server/link.js';
import type { StoreWatch } from '../../lib/contracts/backend.js';
import { describeServer, START_LIMIT_MS, useDatabase } from '../support/shared-servers.js';
import { claimOf, entry, MysqlTables, rowsOf } from './mysql-links.js';

describeServer('mysql', 'the watch of mysql', () => {
  const database = useDatabase('mysql');
  const mysql = new MysqlTables(() => database.url);
  const { statements } = mysql;
  let link: OwnLink;
  let watch: StoreWatch;

  beforeAll(async () => {
    link = await mysql.link();
    await mysql.make(link);
    const made = mysqlDialect.watch({ type: 'mysql', url: database.url }, mysql.tables);
    watch = await openWatch(structuredClone(made!.data));
  }, START_LIMIT_MS);
  afterAll(async () => {
    await watch.close();
    mysql.close();
  });

  it('renews and releases by token, also after its connection was killed', async () => {
    await statements.insert(link, [entry(), entry()]);
    const { jobs } = await statements.claim(link, claimOf({ leaseMs: 1_000 }));
    const [a, b] = jobs.map(({ id, queue, token }) => ({ id, queue, token }));
    expect(await watch.renew([a!, { ...b!, token: 'x' }], 60_000)).toEqual([
      { ok: true },
      { ok: false, reason: 'lease-lost' },
    ]);
    expect((await statements.find(link, a!.id))!.leasedUntil! - Date.now()).toBeGreaterThan(50_000);

    const own = Number((await rowsOf(link, 'SELECT CONNECTION_ID()'))[0]![0]);
    for (const [id] of await rowsOf(
      link,
      `SELECT id FROM information_schema.processlist WHERE id <> ${own} AND db = DATABASE()`,
    ))
      await link.run(`KILL ${String(id)}`);
    await sleep(50);
    expect(await watch.renew([b!], 60_000)).toEqual([{ ok: true }]);

    const answers = await watch.release([{ ...a!, delayMs: 60_000, countAttempt: false, memo: 'timed out' }]);
    expect(answers).toEqual([{ ok: true }]);
    const job = await statements.find(link, a!.id);
    expect([job?.state, job?.attempts]).toEqual(['delayed', 0]);
    expect(await rowsOf(link, 'SELECT memo FROM jobs WHERE id = ?', [a!.id])).toEqual([['timed out']]);
    expect(await watch.renew([a!], 60_000)).toEqual([{ ok: false, reason: 'lease-lost' }]);
    expect(await watch.renew([], 60_000)).toEqual([]);
  });

  it('answers with an error in time where nobody answers it', async () => {
    const made = mysqlDialect.watch({ type: 'mysql', host: '127.0.0.1', port: 1, username: 'x' }, mysql.tables);
    const nowhere = await openWatch(made!.data);
    const start = performance.now();
    const answers = await nowhere.renew([{ id: 'a', queue: 'default', token: 't' }], 1_200);
    expect(answers).toMatchObject([{ ok: false, reason: 'error' }]);
    expect(performance.now() - start).toBeLessThan(1_000);
    await nowhere.close();
  });

  it('is not offered where the way to the server cannot be handed to a thread', () => {
    const watchOf = (options: object) => mysqlDialect.watch({ type: 'mysql', ...options }, mysql.tables);
    expect(watchOf({ driver: {} })).toBeUndefined();
    expect(watchOf({ extra: { authPlugins: { plugin: () => () => {} } } })).toBeUndefined();
    expect(watchOf({ ssl: { ca: 'x' } })?.entry.pathname).toMatch(/mysql-watch\.js$/);
  });
});
