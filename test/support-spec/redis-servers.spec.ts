import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  startRedis,
  startRedisCluster,
  startRedisSentinel,
  type RedisCluster,
  type RedisSentinel,
  type RedisServer,
} from '../support/redis-servers.mjs';
import { describeRedis, freshCluster, freshRedis, START_LIMIT_MS } from '../support/shared-redis.js';

const SERVERS = fileURLToPath(new URL('../support/redis-servers.mjs', import.meta.url));

describeRedis('a private Redis', () => {
  let server: RedisServer;
  beforeAll(async () => void (server = await startRedis({ durable: true })), START_LIMIT_MS);
  afterAll(() => server?.close());

  it.each(['SIGKILL', 'SIGTERM'] as const)('keeps port and data when restarted by %s', async (signal) => {
    const { port, pid } = server;
    await server.command('SET', 'kept', signal);
    await server.restart({ signal });
    expect(server.pid).not.toBe(pid);
    expect(server.port).toBe(port);
    expect(await server.command('GET', 'kept')).toBe(signal);
  });

  it('says so while it is down', async () => {
    await server.stop('SIGKILL');
    await expect(server.command('PING')).rejects.toThrow('Connection is closed');
    await server.start();
    expect(await server.command('PING')).toBe('PONG');
  });

  it('takes settings and a password, and stands beside others', async () => {
    const other = await startRedis({ settings: { requirepass: 'secret', databases: 3 } });
    expect(await other.command('CONFIG', 'GET', 'databases')).toEqual(['databases', '3']);
    expect(new URL(other.url).password).toBe('secret');
    expect(other.port).not.toBe(server.port);
    const folder = dirname(other.dataDir);
    await other.close();
    expect(existsSync(folder)).toBe(false);
  });

  it('shows what a server said that does not start', async () => {
    await expect(startRedis({ settings: { 'no-such-setting': 1 } })).rejects.toThrow(/no-such-setting/);
  });

  it('goes with its owner, however that ends', async () => {
    const script = `import { startRedisCluster } from ${JSON.stringify(SERVERS)};
      const { nodes } = await startRedisCluster();
      console.log(JSON.stringify(nodes.map(({ pid, dataDir }) => ({ pid, dataDir }))));
      setInterval(() => undefined, 1_000);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const [line] = (await once(owner.stdout, 'data')) as [Buffer];
    const nodes = JSON.parse(line.toString()) as { pid: number; dataDir: string }[];
    expect(nodes.every(({ dataDir }) => existsSync(dataDir))).toBe(true);
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    const limit = performance.now() + 10_000;
    while (nodes.some(({ dataDir, pid }) => existsSync(dirname(dataDir)) || runs(pid))) {
      if (performance.now() > limit) throw new Error('The nodes outlive their owner.');
      await sleep(50);
    }
  }, 30_000);
});

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describeRedis('a private cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => void (cluster = await startRedisCluster({ replicas: 1 })), START_LIMIT_MS);
  afterAll(() => cluster?.close());

  it('has three masters, with a replica each', async () => {
    const roles = await Promise.all(cluster.nodes.map(async (node) => (await node.info('replication')).role));
    expect(roles).toEqual(['master', 'master', 'master', 'slave', 'slave', 'slave']);
  });

  it('moves a slot with what is in it', async () => {
    const from = await cluster.masterOf('{moving}');
    const to = cluster.nodes.slice(0, 3).find((node) => node !== from)!;
    await from.command('SET', '{moving}:a', '1');
    expect(await cluster.migrate(await cluster.slotOf('{moving}'), from, to)).toBe(1);
    expect(await cluster.masterOf('{moving}')).toBe(to);
    expect(await to.command('GET', '{moving}:a')).toBe('1');
    await expect(from.command('GET', '{moving}:a')).rejects.toThrow('MOVED');
  });

  it('puts a replica in the place of a killed master, which comes back as a replica', async () => {
    const master = await cluster.masterOf('{failing}');
    await master.command('SET', '{failing}:a', '1');
    await new Promise((resolve) => setTimeout(resolve, 300));
    await master.stop('SIGKILL');
    await cluster.settled();
    const promoted = await cluster.masterOf('{failing}');
    expect(promoted).not.toBe(master);
    expect(await promoted.command('GET', '{failing}:a')).toBe('1');
    await master.start();
    await cluster.settled();
    expect((await master.info('replication')).role).toBe('slave');
  }, 30_000);
});

describeRedis('a private primary with its sentinel', () => {
  let group: RedisSentinel;
  beforeAll(async () => void (group = await startRedisSentinel()), START_LIMIT_MS);
  afterAll(() => group?.close());

  it('gets another primary when that is killed', async () => {
    const before = await group.primary();
    expect(before).toBe(group.servers[0]);
    await before!.stop('SIGKILL');
    expect(await group.promoted(before)).toBe(group.servers[1]);
  }, 30_000);
});

describeRedis('the shared Redis', () => {
  it(
    'is one server, with a prefix for each that asks',
    async () => {
      const [one, two] = await Promise.all([freshRedis(), freshRedis()]);
      expect(one.url).toBe(two.url);
      expect(one.prefix).not.toBe(two.prefix);
      const { Redis } = await import('ioredis');
      const client = new Redis(one.url);
      await client.mset(`${one.prefix}:a`, '1', `${two.prefix}:a`, '2');
      await one.drop();
      expect(await client.mget(`${one.prefix}:a`, `${two.prefix}:a`)).toEqual([null, '2']);
      await two.drop();
      client.disconnect();
    },
    START_LIMIT_MS,
  );

  it(
    'is also a cluster',
    async () => {
      const fresh = await freshCluster();
      const { Cluster } = await import('ioredis');
      const client = new Cluster([...fresh.nodes]);
      await client.set(`${fresh.prefix}:{a}`, '1');
      await client.set(`${fresh.prefix}:{b}`, '1');
      await fresh.drop();
      expect(await client.get(`${fresh.prefix}:{a}`)).toBeNull();
      expect(await client.get(`${fresh.prefix}:{b}`)).toBeNull();
      client.disconnect();
    },
    START_LIMIT_MS,
  );
});
