import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { mysqlDialect } from '../../lib/backends/database/mysql/mysql-dialect.js';
import {
  atomically,
  LostLinkError,
  nested,
  type OwnLink,
  type Statement,
} from '../../lib/backends/database/server/link.js';
import { describeServer, START_LIMIT_MS, useDatabase } from '../support/shared-servers.js';
import { MysqlTables, rowsOf } from './mysql-links.js';

const { faults, flavour } = mysqlDialect;
const of = (text: string): Statement => flavour.statement(text);

describeServer('mysql', 'a link to mysql', () => {
  const database = useDatabase('mysql');
  const mysql = new MysqlTables(() => database.url);
  let link: OwnLink;

  beforeAll(async () => {
    const first = await mysql.link();
    await first.run(
      'CREATE TABLE things (k VARBINARY(100) NOT NULL PRIMARY KEY, n BIGINT NOT NULL, t LONGTEXT) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4',
    );
  }, START_LIMIT_MS);
  beforeEach(async () => {
    link = await mysql.link();
    await link.run('DELETE FROM things');
    await link.query(of('INSERT INTO things (k, n) VALUES (?, ?), (?, ?)'), ['a', 1, 'b', 2]);
  });
  afterAll(() => mysql.close());

  const failureOf = async (work: Promise<unknown>): Promise<unknown> => {
    try {
      await work;
    } catch (error) {
      return error;
    }
    throw new Error('It did not fail.');
  };
  const idOf = async (one: OwnLink): Promise<number> => Number((await rowsOf(one, 'SELECT CONNECTION_ID()'))[0]![0]);

  it('sets its session up', async () => {
    const [[zone, modes, wait, commit]] = (await rowsOf(
      link,
      'SELECT @@session.time_zone, @@session.sql_mode, @@session.innodb_lock_wait_timeout, @@session.autocommit',
    )) as [[string, string, number, number]];
    expect([zone, wait, commit]).toEqual(['+00:00', 3, 1]);
    expect(modes.split(',')).toContain('STRICT_TRANS_TABLES');
    const other = await mysql.link();
    await link.run(flavour.begin);
    await rowsOf(link, 'SELECT * FROM things');
    await other.query(of('UPDATE things SET n = 9 WHERE k = ?'), ['a']);
    // What was committed meanwhile is seen.
    expect(await rowsOf(link, `SELECT n FROM things WHERE k = 'a'`)).toEqual([[9]]);
    await link.run('ROLLBACK');
  });

  it('tells the time by the server, whatever the zone', async () => {
    await link.run(`SET time_zone = '-07:00'`);
    const [[now]] = (await rowsOf(link, `SELECT ${flavour.now}`)) as [[number]];
    expect(Math.abs(now - Date.now())).toBeLessThan(2_000);
    expect(Number.isInteger(now)).toBe(true);
  });

  it('hands keys out as text and large integers as numbers', async () => {
    const far = 2 ** 53 - 1;
    await link.query(of('INSERT INTO things (k, n, t) VALUES (?, ?, ?)'), ['ключ 🎉', far, '🎉']);
    const { rows } = await link.query(of('SELECT k, n, t FROM things WHERE k = ?'), ['ключ 🎉']);
    expect(rows).toEqual([['ключ 🎉', far, '🎉']]);
  });

  it('takes a number for a limit', async () => {
    const { rows } = await link.query(of('SELECT k FROM things WHERE n > ? ORDER BY k LIMIT ?'), [0, 1]);
    expect(rows).toEqual([['a']]);
  });

  it('counts what an UPDATE finds, what an INSERT stores and what a DELETE removes', async () => {
    const changes = async (text: string, ...params: (string | number)[]): Promise<number> =>
      (await link.query(of(text), params)).changes;
    expect(await changes('UPDATE things SET n = ? WHERE n <= ?', 1, 1)).toBe(1);
    expect(await changes('UPDATE things SET n = ? WHERE k = ?', 1, 'nobody')).toBe(0);
    const ignoring = flavour.insertIgnoring('INSERT INTO things (k, n) VALUES (?, ?)', 'k');
    expect(await changes(ignoring, 'a', 5)).toBe(0);
    expect(await changes(ignoring, 'c', 5)).toBe(1);
    const many = flavour.insertIgnoring('INSERT INTO things (k, n) VALUES (?, ?), (?, ?), (?, ?)', 'k');
    expect(await changes(many, 'c', 1, 'd', 1, 'e', 1)).toBe(2);
    expect(await changes('DELETE FROM things WHERE k IN (?, ?)', 'a', 'nobody')).toBe(1);
  });

  it('compares keys byte by byte', async () => {
    for (const key of ['A', 'a ', 'á', 'a\u0301']) {
      expect((await link.query(of('SELECT k FROM things WHERE k = ?'), [key])).rows).toEqual([]);
    }
  });

  it('notices that its connection was killed, in a statement and between two', async () => {
    const other = await mysql.link();
    const id = await idOf(link);
    const sleeping = failureOf(rowsOf(link, 'SELECT SLEEP(20)'));
    await sleep(100);
    expect(link.busySince).toBeGreaterThan(0);
    await other.run(`KILL ${id}`);
    expect(await sleeping).toBeInstanceOf(LostLinkError);
    expect([link.alive, link.busySince]).toEqual([false, undefined]);
    expect(await failureOf(link.run('SELECT 1'))).toBeInstanceOf(LostLinkError);

    const idle = await mysql.link();
    await other.run(`KILL ${await idOf(idle)}`);
    await sleep(100);
    expect(idle.alive).toBe(false);
    expect(faults.of(await failureOf(idle.run('SELECT 1')))).toBe('unavailable');
  });

  it('a statement that was killed leaves its connection alone', async () => {
    const other = await mysql.link();
    const id = await idOf(link);
    const work = failureOf(rowsOf(link, 'SELECT COUNT(*) FROM things a, things b WHERE SLEEP(5) = 0'));
    await sleep(100);
    await other.run(`KILL QUERY ${id}`);
    expect(faults.of(await work)).toBe('unavailable');
    expect(link.alive).toBe(true);
  });

  it('is destroyed whatever is under way', async () => {
    const sleeping = failureOf(rowsOf(link, 'SELECT SLEEP(20)'));
    await sleep(50);
    link.destroy(new Error('no answer within 5000 ms'));
    const error = await sleeping;
    expect(error).toBeInstanceOf(LostLinkError);
    expect((error as Error).message).toMatch(/no answer within 5000 ms/);
  });

  it('refuses what is larger than a packet before it is sent', async () => {
    const [[limit]] = (await rowsOf(link, 'SELECT @@max_allowed_packet')) as [[number]];
    const insert = of('INSERT INTO things (k, n, t) VALUES (?, 1, ?)');
    const error = await failureOf(link.query(insert, ['large', 'x'.repeat(limit)]));
    expect(faults.of(error)).toBe('row');
    expect((error as Error).message).toMatch(/max_allowed_packet/);
    expect(link.alive).toBe(true);
    await link.query(insert, ['nearly', 'é'.repeat(limit / 4)]);
    expect(await rowsOf(link, `SELECT LENGTH(t) FROM things WHERE k = 'nearly'`)).toEqual([[limit / 2]]);
  });

  it('names the faults of the server', async () => {
    const faultOf = async (text: string, ...params: (string | number | null)[]): Promise<string> =>
      faults.of(await failureOf(link.query(of(text), params)));
    expect(await faultOf('INSERT INTO things (k, n) VALUES (?, 1)', 'a')).toBe('row');
    expect(await faultOf('INSERT INTO things (k, n) VALUES (?, 1)', 'x'.repeat(101))).toBe('row');
    expect(await faultOf('INSERT INTO things (k, n) VALUES (?, ?)', 'x', 1e30)).toBe('row');
    expect(await faultOf('INSERT INTO things (k, n) VALUES (?, ?)', 'x', null)).toBe('row');
    expect(await faultOf('INSERT INTO things (k, n) VALUES (?, ?)', 'x', 'no number')).toBe('row');
    expect(await faultOf('SELECT 1 FROM nothing')).toBe('schema');
    expect(await faultOf('SELECT nothing FROM things')).toBe('schema');
    expect(await faultOf('SELECT 1 FROM mysql.user')).toBe('refused');
    expect(await faultOf('SELEKT 1')).toBe('other');
    await link.run('SET SESSION TRANSACTION READ ONLY');
    const error = await failureOf(link.run('DELETE FROM things'));
    expect([faults.of(error), faults.readOnly(error)]).toEqual(['unavailable', true]);
  });

  it(
    'waits three seconds for a row, and names a deadlock as a conflict within a savepoint too',
    async () => {
      const other = await mysql.link();
      const update = of('UPDATE things SET n = n + 1 WHERE k = ?');
      await other.run(flavour.begin);
      await other.query(update, ['a']);
      const start = performance.now();
      expect(faults.of(await failureOf(link.query(update, ['a'])))).toBe('conflict');
      expect(performance.now() - start).toBeLessThan(4_500);

      const crosswise = [link, other].map((one, at) =>
        atomically(one, at === 0 ? flavour.begin : 'SELECT 1', () =>
          nested(one, async () => {
            if (at === 0) await one.query(update, ['b']);
            await sleep(200);
            await one.query(update, [at === 0 ? 'a' : 'b']);
          }),
        ).then(
          () => 'done',
          (error: unknown) => faults.of(error),
        ),
      );
      expect((await Promise.all(crosswise)).toSorted()).toEqual(['conflict', 'done']);
    },
    START_LIMIT_MS,
  );

  it('knows whether the server takes writes', async () => {
    expect(await mysqlDialect.isReadOnly(link)).toBe(false);
  });
});
