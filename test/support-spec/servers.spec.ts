import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findServer, startServer, type SqlServer, type SqlServerKind } from '../support/servers.mjs';
import { describeServer, privateServer, START_LIMIT_MS } from '../support/shared-servers.js';

const KINDS: readonly SqlServerKind[] = ['postgres', 'mariadb'];
const SERVERS = fileURLToPath(new URL('../support/servers.mjs', import.meta.url));

for (const kind of KINDS) {
  describeServer(kind, `a private ${kind}`, () => {
    let server: SqlServer;
    beforeAll(async () => void (server = await privateServer(kind)), START_LIMIT_MS);
    afterAll(() => server?.close());

    it('says which version it is', async () => {
      expect(server.version).toBe(findServer(kind)!.version);
      const [row] = await server.sql('SELECT version() AS version');
      expect(String(row!.version)).toContain(server.version);
    });

    it('gives databases to a plain user', async () => {
      const { url, adminUrl } = await server.createDatabase('plain_one');
      expect(new URL(url).username).toBe('app');
      expect(new URL(url).pathname).toBe('/plain_one');
      expect(new URL(adminUrl).username).not.toBe('app');
      await server.dropDatabase('plain_one');
      await server.createDatabase('plain_one');
      await server.dropDatabase('plain_one');
      await server.dropDatabase('plain_one');
    });

    it.each(['SIGKILL', 'SIGTERM', undefined] as const)(
      'keeps port and data when restarted by %s',
      async (signal) => {
        const { port, pid } = server;
        await server.sql('CREATE TABLE IF NOT EXISTS kept (id INT)');
        const before = Number((await server.sql('SELECT count(*) AS n FROM kept'))[0]!.n);
        for (let id = 0; id < 10; id += 1) await server.sql(`INSERT INTO kept VALUES (${id})`);
        await server.restart({ signal });
        expect(server.pid).not.toBe(pid);
        expect(server.port).toBe(port);
        const [row] = await server.sql('SELECT count(*) AS n FROM kept');
        expect(Number(row!.n)).toBe(before + 10);
      },
      START_LIMIT_MS,
    );

    it(
      'is down for as long as asked',
      async () => {
        const restarted = server.restart({ signal: 'SIGKILL', downMs: 500 });
        await sleep(300);
        expect(server.pid).toBeUndefined();
        expect(await dials(server.port)).toBe(false);
        await restarted;
        expect(await dials(server.port)).toBe(true);
      },
      START_LIMIT_MS,
    );

    it(
      'takes settings, and stands beside others',
      async () => {
        const others = await Promise.all([
          startServer(kind, { durable: true, settings: { max_connections: 17 } }),
          startServer(kind),
        ]);
        const setting = async (one: SqlServer): Promise<string> =>
          String(Object.values((await one.sql("SHOW VARIABLES LIKE 'max_connections'"))[0]!)[1]);
        const shown = kind === 'postgres' ? await others[0].sql('SHOW max_connections') : undefined;
        expect(shown === undefined ? await setting(others[0]) : shown[0]!.max_connections).toBe('17');
        expect(new Set([server, ...others].map(({ port }) => port)).size).toBe(3);
        const folders = others.map(({ dataDir }) => dirname(dataDir));
        expect(folders.every((folder) => existsSync(folder))).toBe(true);
        const pids = others.map(({ pid }) => pid!);
        await Promise.all(others.map((other) => other.close()));
        expect(folders.some((folder) => existsSync(folder))).toBe(false);
        expect(pids.some(alive)).toBe(false);
      },
      START_LIMIT_MS,
    );

    it(
      'shows what a server said that does not start',
      async () => {
        await expect(startServer(kind, { settings: { no_such_setting: 1 } })).rejects.toThrow(/no.such.setting/);
      },
      START_LIMIT_MS,
    );

    // What ends the server is the same for all kinds; one of them is enough for the milder signals.
    it.each(kind === 'postgres' ? (['SIGKILL', 'SIGTERM', 'SIGINT'] as const) : (['SIGKILL'] as const))(
      'goes with its owner, ended by %s',
      async (signal) => {
        const script = `import { startServer } from ${JSON.stringify(SERVERS)};
          const { pid, dataDir } = await startServer(${JSON.stringify(kind)});
          console.log(JSON.stringify({ pid, dataDir }));
          setInterval(() => undefined, 1_000);`;
        const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
          stdio: ['ignore', 'pipe', 'inherit'],
          env: { ...process.env, NODE_OPTIONS: '' },
        });
        const [line] = (await once(owner.stdout, 'data')) as [Buffer];
        const { pid, dataDir } = JSON.parse(line.toString()) as { pid: number; dataDir: string };
        expect(alive(pid)).toBe(true);
        owner.kill(signal);
        await once(owner, 'exit');
        await until(() => !alive(pid) && !existsSync(dirname(dataDir)));
      },
      START_LIMIT_MS,
    );

    it(
      'sweeps up after owners that are gone',
      async () => {
        const base = dirname(dirname(server.dataDir));
        const owner = spawn(process.execPath, ['-e', '']);
        await once(owner, 'exit');
        const left = join(base, `${kind}-left`);
        mkdirSync(left);
        writeFileSync(join(left, 'owner.pid'), `${owner.pid}\n`);
        // A process that has the number of that server by now, and is none.
        writeFileSync(join(left, 'server.pid'), `${process.pid}\n`);
        const other = await startServer(kind);
        await until(() => !existsSync(left));
        await other.close();
        expect(readFileSync(join(dirname(server.dataDir), 'owner.pid'), 'utf8')).toBe(`${process.pid}\n`);
      },
      START_LIMIT_MS,
    );
  });
}

describe('findServer', () => {
  it('does not take MariaDB for MySQL', () => {
    const mysql = findServer('mysql');
    expect(mysql === undefined || mysql.program !== findServer('mariadb')?.program).toBe(true);
  });

  it('can be told to see none', async () => {
    process.env.QUEUE_TEST_WITHOUT = 'postgres,mysql';
    try {
      expect(findServer('postgres')).toBeUndefined();
      await expect(startServer('postgres')).rejects.toThrow('No postgres server is installed here');
    } finally {
      delete process.env.QUEUE_TEST_WITHOUT;
    }
  });
});

function dials(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** One that has ended and was not yet collected by its parent counts as gone. */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return process.platform !== 'linux' || !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

async function until(done: () => boolean): Promise<void> {
  const limit = performance.now() + 10_000;
  while (!done()) {
    if (performance.now() > limit) throw new Error('It did not come to pass within 10 s.');
    await sleep(50);
  }
}
