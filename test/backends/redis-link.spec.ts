import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisLinks } from '../../lib/backends/redis/redis-links.js';
import { redisPlace, type RedisConnectionOptions } from '../../lib/backends/redis/redis-options.js';
import { Script } from '../../lib/backends/redis/script.js';
import { StoreClosedError } from '../../lib/backends/store-state-errors.js';
import { StoreFullError, StoreRefusedError, StoreUnreachableError } from '../../lib/contracts/store-errors.js';
import { startRedis, startRedisCluster, type RedisCluster, type RedisServer } from '../support/redis-servers.mjs';
import { describeRedis, freshCluster, START_LIMIT_MS } from '../support/shared-redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { FakeRedis } from './redis-fake.js';
import { LONG_MS, settled, sleep, until } from './redis-harness.js';

const echo = new Script('echo', 'frees', `return { KEYS[1], ARGV[1] or '' }`);
const count = new Script('count', 'stores', `return redis.call('INCR', KEYS[1] .. ':count')`);
/** Counts, and then keeps the server busy for some ms. */
const slow = new Script(
  'slow',
  'stores',
  `
local n = redis.call('INCR', KEYS[1] .. ':count')
local function ms() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end
local stop = ms() + ARGV[1]
while ms() < stop do end
return n`,
);
const TELL = { ms: 3_000, lost: 'tell' } as const;
const REPEAT = { ms: 3_000, lost: 'repeat' } as const;
const KEY = ['queue:{a}'];

const open: RedisLinks[] = [];
const warnings: string[] = [];
function links(given: Omit<RedisConnectionOptions, 'driver'>): RedisLinks {
  const made = new RedisLinks({
    connection: 'main',
    place: redisPlace({ driver: 'redis', ...given }, 'main'),
    warn: (line) => warnings.push(line),
    strict: given.strict === true,
  });
  open.push(made);
  return made;
}

async function closeAll(): Promise<void> {
  warnings.length = 0;
  await Promise.all(open.splice(0).map((one) => one.close()));
}

describeRedis('the link to a redis server', () => {
  let server: RedisServer;
  beforeAll(async () => void (server = await startRedis()), START_LIMIT_MS);
  beforeEach(async () => {
    await server.command('REPLICAOF', 'NO', 'ONE');
    await server.command('FLUSHALL');
  });
  afterEach(closeAll);
  afterAll(() => server.close());

  it('runs scripts and commands, and answers texts, numbers and nothing as they are', async () => {
    const { commands } = links({ url: server.url });
    expect(await commands.run(echo, KEY, ['grün\u0000'], TELL)).toEqual([KEY[0], 'grün\u0000']);
    expect(await commands.send('HSET', ['h', 'a', 1, 'b', 'x'], TELL)).toBe(2);
    expect(await commands.send('HGETALL', ['h'], TELL)).toEqual(['a', '1', 'b', 'x']);
    expect(await commands.send('GET', ['nothing'], TELL)).toBeNull();
    const orders = [
      { script: count, keys: KEY, args: [] },
      { command: 'GET', args: ['queue:{a}:count'] },
      { script: count, keys: KEY, args: [] },
    ];
    expect(await commands.all(orders, TELL)).toEqual([1, '1', 2]);
  });

  it('sends a script whole where the server has forgotten it', async () => {
    const { commands } = links({ url: server.url });
    await server.command('CONFIG', 'RESETSTAT');
    for (let n = 1; n <= 6; n += 2) {
      await server.command('SCRIPT', 'FLUSH');
      expect(await commands.run(count, KEY, [], TELL)).toBe(n);
      expect(await commands.run(count, KEY, [], TELL)).toBe(n + 1);
    }
    const { cmdstat_eval: whole, cmdstat_evalsha: short } = await server.info('commandstats');
    expect(whole).toMatch(/^calls=3,/);
    expect(short).toMatch(/^calls=5,/);
  });

  it('says which prefix, database and user were given to it by what it does', async () => {
    await server.command('ACL', 'SETUSER', 'worker', 'on', '>canary', '~queue:*', '+@all');
    const url = server.url.replace('//', '//worker:canary@');
    const { commands } = links({ url, options: { keyPrefix: 'queue:app:', db: 3 } });
    expect(await commands.run(echo, ['{a}'], [], TELL)).toEqual(['queue:app:{a}', '']);
    await commands.send('SET', ['{a}:x', '1'], TELL);
    expect(await server.command('DBSIZE')).toBe(0);
    const outside = links({ url });
    const { error } = await settled(outside.commands.send('GET', ['elsewhere'], TELL));
    expect(error).toBeInstanceOf(StoreRefusedError);
    expect(String(error)).toMatch(/\[main\].*NOPERM.*\+@all/s);
  });

  it.each([
    ['a wrong password', (url: string) => url.replace('//', '//worker:wrong-canary@'), /WRONGPASS/],
    ['a database that is not there', (url: string) => url.replace(/\/\d*$/, '/99'), /DB index is out of range/],
  ])('refuses to wait for %s', async (_, change, why) => {
    const { commands } = links({ url: change(server.url) });
    const began = performance.now();
    const { error } = await settled(commands.run(count, KEY, [], TELL));
    expect(error).toBeInstanceOf(StoreRefusedError);
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(String(error)).toMatch(why);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary');
    expect(await server.command('DBSIZE')).toBe(0);
  });

  it('hands on what the server said, without the command', async () => {
    const { commands } = links({ url: server.url });
    await commands.send('SET', ['text', 'x'], TELL);
    const { error } = await settled(commands.send('RPUSH', ['text', 'canary'], TELL));
    expect(error).toMatchObject({ message: expect.stringMatching(/^WRONGTYPE/) });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary');
  });

  it('waits while the server is a replica, and goes on when it is none', async () => {
    const { commands } = links({ url: server.url });
    await commands.run(count, KEY, [], TELL);
    await server.command('REPLICAOF', '127.0.0.1', '1');
    const early = await settled(commands.run(count, KEY, [], { ms: 300, lost: 'tell' }));
    expect(early.error).toBeInstanceOf(StoreUnreachableError);
    expect(early.error).not.toHaveProperty('outcome');
    expect(String(early.error)).toMatch(/READONLY/);
    const waiting = commands.run(count, KEY, [], { ms: 10_000, lost: 'tell' });
    await sleep(300);
    await server.command('REPLICAOF', 'NO', 'ONE');
    expect(await waiting).toBe(2);
  });

  it('tells that the server is full, where a script needs memory', async () => {
    const { commands } = links({ url: server.url });
    await server.command('CONFIG', 'SET', 'maxmemory', '1mb');
    try {
      expect((await settled(commands.run(count, KEY, [], TELL))).error).toBeInstanceOf(StoreFullError);
      expect(await commands.run(echo, KEY, ['x'], TELL)).toEqual([KEY[0], 'x']);
    } finally {
      await server.command('CONFIG', 'SET', 'maxmemory', '0');
    }
  });

  it('says once that the server may throw jobs away', async () => {
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    try {
      const { commands, leases } = links({ url: server.url });
      await Promise.all([commands.send('PING', [], TELL), leases.send('PING', [], TELL)]);
      expect(warnings).toEqual([expect.stringMatching(/\[main\].*allkeys-lru.*Set maxmemory-policy to noeviction/)]);
    } finally {
      await server.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    }
  });

  it(
    'refuses every order of a server that may throw jobs away where it must not, also after a reconnection, until it is mended',
    async () => {
      const set = (policy: string) => server.command('CONFIG', 'SET', 'maxmemory-policy', policy);
      const { commands } = links({ url: server.url, strict: true });
      try {
        expect(await commands.run(count, KEY, [], TELL)).toBe(1);
        await set('allkeys-lru');
        await server.command('CLIENT', 'KILL', 'TYPE', 'normal');
        const fresh = links({ url: server.url, strict: true });
        for (const one of [commands, fresh.commands, fresh.leases]) {
          const { error } = await settled(one.run(count, KEY, [], REPEAT));
          expect(error).toBeInstanceOf(StoreRefusedError);
          expect(String(error)).toMatch(/maxmemory-policy is allkeys-lru.*Set it to noeviction.*or leave strict out/);
        }
        expect((await settled(fresh.check(TELL))).error).toBeInstanceOf(StoreRefusedError);
        expect(await server.command('GET', 'queue:{a}:count')).toBe('1');
        await set('noeviction');
        for (const one of [commands, fresh.commands]) {
          await until(async () => (await settled(one.send('PING', [], TELL))).value, 'it is used again', 4_000);
        }
      } finally {
        await set('noeviction');
      }
    },
    LONG_MS,
  );

  it(
    'hears an answer that came while the event loop was blocked for longer than an answer may take',
    async () => {
      const { commands } = links({ url: server.url });
      const id = await commands.send('CLIENT', ['ID'], TELL);
      await commands.run(count, KEY, [], TELL);
      // So that what is sent next begins a new row of looks.
      await sleep(250);
      const hold = (ms: number) => {
        for (const end = performance.now() + ms; performance.now() < end;);
      };
      const answers = await new Promise<unknown>((resolve) => {
        setImmediate(() => {
          const long = commands.run(count, KEY, [], { ms: 60_000, lost: 'tell' });
          const short = commands.run(count, KEY, [], { ms: 300, lost: 'tell' });
          hold(5_300);
          resolve(Promise.all([long, short]));
        });
      });
      expect(answers).toEqual([2, 3]);
      expect(await commands.send('CLIENT', ['ID'], TELL)).toBe(id);
    },
    LONG_MS,
  );

  it('names its connections', async () => {
    const { commands, leases } = links({ url: server.url });
    await Promise.all([commands.send('PING', [], TELL), leases.send('PING', [], TELL)]);
    const list = String(await server.command('CLIENT', 'LIST'));
    expect(list).toContain(`name=nestjs-queue:main:${process.pid}:commands`);
    expect(list).toContain(`name=nestjs-queue:main:${process.pid}:leases`);
  });

  it('ends at once, and leaves nothing open', async () => {
    const before = process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
    const some = [links({ url: server.url }), links({ url: 'redis://127.0.0.1:1' }), links({ url: server.url })];
    await some[0]!.commands.send('PING', [], TELL);
    const waiting = settled(some[1]!.commands.send('PING', [], { ms: 60_000, lost: 'tell' }));
    await sleep(200);
    const began = performance.now();
    await Promise.all(some.map((one) => one.close()));
    expect(performance.now() - began).toBeLessThan(500);
    expect((await waiting).error).toBeInstanceOf(StoreClosedError);
    expect((await settled(some[0]!.commands.send('PING', [], TELL))).error).toBeInstanceOf(StoreClosedError);
    const left = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
    await until(() => left() <= before, 'no socket of ours is left');
    // A client that still tried would have come back by now.
    await sleep(500);
    expect(left()).toBeLessThanOrEqual(before);
  });

  it('waits no longer than its signal', async () => {
    const { commands } = links({ url: 'redis://127.0.0.1:1' });
    const stop = new AbortController();
    const waiting = settled(commands.send('PING', [], { ms: 60_000, lost: 'tell', signal: stop.signal }));
    await sleep(150);
    const began = performance.now();
    stop.abort();
    const { error } = await waiting;
    expect(performance.now() - began).toBeLessThan(100);
    expect(String(error)).toMatch(/ECONNREFUSED/);
  });

  describe('over a way that breaks', () => {
    let proxy: TcpProxy;
    beforeEach(async () => void (proxy = await TcpProxy.to(server.port)));
    afterEach(async () => {
      await closeAll();
      await proxy.close();
    });

    it('tells that the outcome is not known, or does it again, when the answer was lost', async () => {
      const { commands } = links({ url: proxy.url(server.url) });
      await commands.send('PING', [], TELL);
      const told = settled(commands.run(slow, KEY, [400], TELL));
      const repeated = settled(commands.run(slow, ['queue:{b}'], [1], REPEAT));
      await sleep(100);
      proxy.reset();
      const { error } = await told;
      expect(error).toBeInstanceOf(StoreUnreachableError);
      expect(error).toMatchObject({ outcome: 'unknown' });
      expect((await repeated).value).toBeGreaterThan(0);
      expect(await server.command('GET', 'queue:{a}:count')).toBe('1');
    });

    it('knows that what was never sent was not done', async () => {
      const { commands } = links({ url: proxy.url(server.url) });
      await commands.send('PING', [], TELL);
      proxy.refuse();
      await sleep(50);
      const { error } = await settled(commands.run(count, KEY, [], { ms: 400, lost: 'tell' }));
      expect(error).toBeInstanceOf(StoreUnreachableError);
      expect(error).not.toHaveProperty('outcome');
      const waiting = commands.run(count, KEY, [], { ms: 10_000, lost: 'tell' });
      await sleep(100);
      proxy.restore();
      expect(await waiting).toBe(1);
    });

    it(
      'gives an answer up with its patience, and the connection after some seconds',
      async () => {
        const { commands } = links({ url: proxy.url(server.url) });
        await commands.send('PING', [], TELL);
        const [old] = proxy.connections;
        proxy.blackhole();
        const repeated = commands.run(count, KEY, [], { ms: 20_000, lost: 'repeat' });
        const began = performance.now();
        const { error } = await settled(commands.run(count, ['queue:{b}'], [], { ms: 500, lost: 'tell' }));
        expect(performance.now() - began).toBeLessThan(900);
        expect(error).toMatchObject({
          outcome: 'unknown',
          message: expect.stringMatching(/no answer within 5\d\d ms|no answer within 6\d\d ms/),
        });
        await until(() => !old!.alive, 'the dead connection is given up');
        expect(performance.now() - began).toBeGreaterThan(4_500);
        proxy.restore();
        expect(await repeated).toBeGreaterThan(0);
      },
      LONG_MS,
    );

    it(
      'gives the connection of the leases up as soon as one of them was not renewed in time',
      async () => {
        const { leases } = links({ url: proxy.url(server.url) });
        await leases.send('PING', [], TELL);
        const [old] = proxy.connections;
        proxy.blackhole();
        const began = performance.now();
        const { error } = await settled(leases.send('PING', [], { ms: 300, lost: 'repeat' }));
        expect(error).toBeInstanceOf(StoreUnreachableError);
        await until(() => !old!.alive, 'the dead connection is given up');
        expect(performance.now() - began).toBeLessThan(1_500);
        proxy.restore();
        expect(await leases.send('PING', [], TELL)).toBe('PONG');
      },
      LONG_MS,
    );

    it(
      'gives the connection up also where everybody had less patience than that',
      async () => {
        const { commands } = links({ url: proxy.url(server.url) });
        await commands.send('PING', [], TELL);
        const [old] = proxy.connections;
        proxy.blackhole();
        await settled(commands.send('PING', [], { ms: 300, lost: 'repeat' }));
        expect(old!.alive).toBe(true);
        await until(() => !old!.alive, 'the dead connection is given up');
      },
      LONG_MS,
    );

    it(
      'gives up a server that takes the connection and never says a word',
      async () => {
        proxy.blackhole();
        const { commands } = links({ url: proxy.url(server.url) });
        const waiting = commands.send('PING', [], { ms: 30_000, lost: 'tell' });
        await until(() => proxy.accepted >= 2, 'it has tried again');
        proxy.restore();
        expect(await waiting).toBe('PONG');
      },
      LONG_MS,
    );
  });
});

describeRedis('the link to a redis server over TLS', () => {
  let folder: string;
  let server: RedisServer;
  let ca: Buffer;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'queue-tls-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const made = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1';
    execFileSync('openssl', made.split(' ').concat('-keyout', key, '-out', cert), { stdio: 'ignore' });
    ca = readFileSync(cert);
    server = await startRedis();
    await server.command(
      'CONFIG',
      'SET',
      'tls-cert-file',
      cert,
      'tls-key-file',
      key,
      'tls-ca-cert-file',
      cert,
      'tls-auth-clients',
      'no',
      'tls-port',
      server.port + 1,
    );
  }, START_LIMIT_MS);
  afterEach(closeAll);
  afterAll(async () => {
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('reaches it by rediss:, and trusts no certificate that it was not told of', async () => {
    const url = `rediss://127.0.0.1:${server.port + 1}`;
    const { commands } = links({ url, options: { tls: { ca: ca.toString() } } });
    expect(await commands.run(echo, KEY, ['over TLS'], TELL)).toEqual([KEY[0], 'over TLS']);
    const { error } = await settled(links({ url }).commands.send('PING', [], { ms: 800, lost: 'tell' }));
    expect(String(error)).toMatch(/certificate/);
  });
});

describe('the link to servers that cannot be had here', () => {
  let fake: FakeRedis;
  afterEach(async () => {
    await closeAll();
    await fake.close();
  });

  it('leaves the flags of scripts out where the server does not know them', async () => {
    fake = await FakeRedis.with(([name, text]) => {
      if (name === 'info') return 'redis_version:7.0.0\r\n';
      if (name === 'evalsha') return '-NOSCRIPT No matching script. Please use EVAL.';
      if (name === 'eval' && text!.startsWith('#')) {
        return "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'";
      }
      return 'done';
    });
    const { commands } = links({ url: fake.url });
    expect(await commands.run(echo, KEY, ['x'], TELL)).toBe('done');
    expect(await commands.run(echo, KEY, ['x'], TELL)).toBe('done');
    expect(fake.commands.filter(([name]) => name === 'eval').map(([, text]) => text!.startsWith('#'))).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('sends plain scripts to 6.2', async () => {
    fake = await FakeRedis.with(([name]) => (name === 'info' ? 'redis_version:6.2.0\r\n' : 'done'));
    const { commands } = links({ url: fake.url });
    for (const text of ['x', 'y']) await commands.run(echo, KEY, [text], TELL);
    expect(fake.commands.slice(-2)).toEqual([
      ['eval', echo.plain.text, '1', KEY[0], 'x'],
      ['evalsha', echo.plain.sha, '1', KEY[0], 'y'],
    ]);
  });

  it('refuses a server that is too old, with the version that is needed', async () => {
    fake = await FakeRedis.with(([name]) => (name === 'info' ? 'redis_version:6.0.16\r\n' : 'done'));
    const { error } = await settled(links({ url: fake.url }).commands.run(echo, KEY, ['x'], TELL));
    expect(error).toBeInstanceOf(StoreRefusedError);
    expect(String(error)).toMatch(/it is Redis 6\.0\.16\. Use Redis 6\.2 or later/);
  });

  it('takes a server that does not let itself be asked, but not where it must keep every job', async () => {
    fake = await FakeRedis.with(([name]) => {
      return name === 'info' ? "-NOPERM this user has no permissions to run the 'info' command" : 'done';
    });
    expect(await links({ url: fake.url }).commands.send('GET', ['x'], TELL)).toBe('done');
    const { error } = await settled(links({ url: fake.url, strict: true }).commands.send('GET', ['x'], TELL));
    expect(error).toBeInstanceOf(StoreRefusedError);
    expect(String(error)).toMatch(/does not say what its maxmemory-policy is.*\+info.*or leave strict out/);
  });

  it('waits while the server loads', async () => {
    let loads = 2;
    fake = await FakeRedis.with(([name]) => {
      if (name !== 'info') return 'done';
      return loads-- > 0 ? 'redis_version:7.0.0\r\nloading:1\r\n' : 'redis_version:7.0.0\r\nloading:0\r\n';
    });
    const began = performance.now();
    expect(await links({ url: fake.url }).commands.run(echo, KEY, ['x'], TELL)).toBe('done');
    expect(performance.now() - began).toBeGreaterThan(500);
  });
});

describeRedis('the link to a redis cluster', () => {
  afterEach(closeAll);

  it(
    'adds a key that never exists, and refuses to take one node for a server',
    async () => {
      const { nodes, drop } = await freshCluster();
      const { commands, isCluster } = links({ cluster: { nodes: [...nodes] } });
      expect(isCluster).toBe(true);
      const keys = new Script('keys', 'frees', 'return { #KEYS, KEYS[2] }');
      expect(await commands.run(keys, KEY, [], TELL)).toEqual([2, 'queue:{a}:-']);
      const { host, port } = nodes[0]!;
      const { error } = await settled(links({ url: `redis://${host}:${port}` }).commands.send('PING', [], TELL));
      expect(String(error)).toMatch(/node of a cluster.*cluster: \{ nodes/);
      await drop();
    },
    START_LIMIT_MS,
  );
});

describeRedis('the link to a redis cluster whose nodes change one by one', () => {
  let cluster: RedisCluster;
  /** Of the second node; it stays in when the password changes. */
  let admin: Redis;
  const slots: string[] = [];
  beforeAll(async () => {
    cluster = await startRedisCluster();
    admin = new Redis(cluster.addresses[1]!);
    for (const node of cluster.nodes) {
      for (let n = 0; ; n += 1) {
        if ((await cluster.masterOf(`x{${n}}`)) !== node) continue;
        slots.push(`x{${n}}`);
        break;
      }
    }
  }, START_LIMIT_MS);
  afterEach(async () => {
    await closeAll();
    await admin.config('SET', 'requirepass', '');
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
  });
  afterAll(async () => {
    admin.disconnect();
    await cluster.close();
  }, START_LIMIT_MS);

  const wants = async (password: string): Promise<void> => {
    await admin.config('SET', 'requirepass', password);
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  };
  const place = () => ({ cluster: { nodes: [cluster.addresses[0]!] } });
  const ask = ({ commands }: RedisLinks) =>
    Promise.all(slots.map((key) => settled(commands.send('SET', [key, '1'], REPEAT))));

  it(
    'goes on with the others while one refuses it, and with that one as soon as it does not',
    async () => {
      const made = links(place());
      expect(await ask(made)).toEqual([{ value: 'OK' }, { value: 'OK' }, { value: 'OK' }]);
      await wants('canary');
      await sleep(300);
      for (let round = 0; round < 3; round += 1) {
        const [first, second, third] = await ask(made);
        expect([first, third]).toEqual([{ value: 'OK' }, { value: 'OK' }]);
        expect(second!.error).toBeInstanceOf(StoreRefusedError);
        expect(String(second!.error)).toMatch(/NOAUTH/);
      }
      await wants('');
      await until(async () => (await ask(made)).every(({ value }) => value === 'OK'), 'all are used', 5_000);
    },
    LONG_MS,
  );

  it(
    'one that refused from the beginning is found when it does not any more',
    async () => {
      await wants('canary');
      const made = links(place());
      expect((await ask(made)).some(({ error }) => error instanceof StoreRefusedError)).toBe(true);
      await sleep(2_000);
      await wants('');
      await until(async () => (await ask(made)).every(({ value }) => value === 'OK'), 'all are used', 5_000);
    },
    LONG_MS,
  );

  it(
    'where it must keep every job, a node that came back without that is refused',
    async () => {
      const made = links({ ...place(), strict: true });
      expect(await ask(made)).toEqual([{ value: 'OK' }, { value: 'OK' }, { value: 'OK' }]);
      await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
      await wants('');
      const refused = async () => (await ask(made)).every(({ error }) => error instanceof StoreRefusedError);
      await until(refused, 'it is refused', 5_000);
      await admin.config('SET', 'maxmemory-policy', 'noeviction');
      await until(async () => (await ask(made)).every(({ value }) => value === 'OK'), 'all are used', 5_000);
    },
    LONG_MS,
  );
});
