import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'mysql2/promise';
import { fileURLToPath } from 'node:url';
import { describeServer, freshDatabase, sharedServer, START_LIMIT_MS, useDatabase } from '../support/shared-servers.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describeServer('mariadb', 'the shared MariaDB', () => {
  it(
    'is one server, with a database for each that asks',
    async () => {
      const [server, one, two] = await Promise.all([
        sharedServer('mariadb'),
        freshDatabase('mariadb'),
        freshDatabase('mariadb'),
      ]);
      expect(one.database).not.toBe(two.database);
      const hosts = [server, one, two].map(({ url }) => new URL(url).host);
      expect(new Set(hosts).size).toBe(1);
      await Promise.all([one.drop(), two.drop()]);
    },
    START_LIMIT_MS,
  );

  it(
    'drops a database that somebody still holds a transaction in',
    async () => {
      const database = await freshDatabase('mariadb');
      const client = await createConnection(database.url.replace('mariadb:', 'mysql:'));
      client.on('error', () => undefined);
      await client.query('CREATE TABLE t (id INT)');
      await client.query('BEGIN');
      await client.query('INSERT INTO t VALUES (1)');
      await database.drop();
      await expect(client.query('SELECT 1')).rejects.toThrow(/closed|lost|killed|ECONNRESET/i);
    },
    START_LIMIT_MS,
  );
});

describeServer('mysql', "the server for MySQL's dialect", () => {
  const database = useDatabase('mysql');

  it('is MariaDB where no MySQL is to be had, and says so', () => {
    expect(new URL(database.url).protocol).toBe('mysql:');
    expect(['mysql', 'mariadb']).toContain(database.ran);
  });
});

describeServer('postgres', 'the shared PostgreSQL', () => {
  const database = useDatabase('postgres');

  it('is joined by later specs', async () => {
    expect(new URL(database.url).host).toBe(new URL((await sharedServer('postgres')).url).host);
    expect(database.database).toMatch(/^q_[0-9a-f]{16}$/);
  });
});

describe('a spec whose server is absent', () => {
  const jest = async (env: Record<string, string>) => {
    const args = [
      '--experimental-vm-modules',
      'node_modules/jest/bin/jest.js',
      '--ci',
      'test/support-spec/describe-server',
    ];
    const { REQUIRE_ALL: _all, ...inherited } = process.env;
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...inherited, QUEUE_TEST_WITHOUT: 'mariadb', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk));
    const [code] = (await once(child, 'close')) as [number];
    return { code, output };
  };

  it(
    'is skipped, with the reason',
    async () => {
      const { code, output } = await jest({});
      expect(output).toContain('Skipped: a spec that needs MariaDB: no MariaDB server is installed here');
      expect(output).toMatch(/Tests: +1 skipped/);
      expect(code).toBe(0);
    },
    START_LIMIT_MS,
  );

  it(
    'fails where all are required',
    async () => {
      const { code, output } = await jest({ REQUIRE_ALL: '1' });
      expect(output).toContain('not run: no MariaDB server is installed here');
      expect(output).toMatch(/Tests: +1 failed/);
      expect(code).toBe(1);
    },
    START_LIMIT_MS,
  );
});
