import { afterEach, describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import {
  cloneable,
  redisPlace,
  storeName,
  type RedisConnectionOptions,
} from '../../lib/backends/redis/redis-options.js';
import { factsOfAll, evicts, serverFacts } from '../../lib/backends/redis/server-facts.js';

type Given = Omit<RedisConnectionOptions, 'driver'>;
const place = (given: Given) => redisPlace({ driver: 'redis', ...given }, 'main');
const options = (given: Given) => {
  const made = place(given);
  return made.kind === 'server' ? made.options : undefined;
};

describe('where a redis connection goes', () => {
  const before = process.env['REDIS_URL'];
  afterEach(() => {
    if (before === undefined) delete process.env['REDIS_URL'];
    else process.env['REDIS_URL'] = before;
  });

  it.each<[string, object]>([
    ['redis://localhost', { host: 'localhost' }],
    ['redis://10.0.0.1:6380/3', { host: '10.0.0.1', port: 6380, db: 3 }],
    ['redis://h?db=4&family=6', { host: 'h', db: 4, family: 6 }],
    ['redis://[::1]:7000', { host: '::1', port: 7000 }],
    ['redis://me:p%40ss%2Fword@h', { host: 'h', username: 'me', password: 'p@ss/word' }],
    ['redis://:only@h', { host: 'h', password: 'only' }],
    ['rediss://h:6380', { host: 'h', port: 6380, tls: {} }],
    ['valkeys://h', { host: 'h', tls: {} }],
    ['/run/redis.sock', { path: '/run/redis.sock' }],
    ['unix:///run/redis.sock', { path: '/run/redis.sock' }],
  ])('reads %s', (url, read) => {
    expect(options({ url })).toEqual(read);
  });

  it('takes REDIS_URL where nothing is given, and what stands in options before the URL', () => {
    process.env['REDIS_URL'] = 'redis://from-the-environment:1234';
    expect(options({})).toEqual({ host: 'from-the-environment', port: 1234 });
    expect(options({ options: { host: 'mine' } })).toEqual({ host: 'mine' });
    expect(options({ options: { keyPrefix: 'app:' } })).toEqual({
      host: 'from-the-environment',
      port: 1234,
      keyPrefix: 'app:',
    });
    expect(options({ url: 'redis://u:p@h/1', options: { db: 2, tls: { ca: 'x' } } })).toEqual({
      host: 'h',
      username: 'u',
      password: 'p',
      db: 2,
      tls: { ca: 'x' },
    });
    delete process.env['REDIS_URL'];
    expect(options({})).toEqual({});
  });

  it.each<[string, Given, RegExp]>([
    [
      'a URL that is none',
      { url: 'redis://u:canary@' },
      /^connections\.main\.url is .*no URL.*redis:\/\/user:password/,
    ],
    ['another scheme', { url: 'https://u:canary@h' }, /^connections\.main\.url begins with https:/],
    ['a database that is no number', { url: 'redis://u:canary@h/prod' }, /names the database "prod"/],
    ['a bare %', { url: 'redis://u:canary%@h' }, /has a % that is not followed.*Write it as %25/],
    ['a bare % in a path', { url: 'unix:/run/%:canary@x' }, /has a % that is not followed/],
    ['two ways', { url: 'redis://u:canary@h', cluster: { nodes: [] } }, /has url or options and cluster/],
    ['a cluster of none', { cluster: { nodes: [] } }, /cluster\.nodes is Array\. List at least one/],
    ['a client that is none', { client: { password: 'canary' } }, /client is Object\. Give an ioredis client/],
  ])('refuses %s in one line, without the password', (_, given, message) => {
    const refused = () => place(given);
    expect(refused).toThrow(message);
    expect(refused).not.toThrow(/canary|\n/);
  });

  it.each([
    ':s3cret@localhost:6379',
    'app:s3cret@localhost:6379',
    's3cret:x@localhost',
    'redis:/app:s3cret@host:6379/0',
    'redis:app:s3cret@host',
    'redis://app:1/s3cret@host:6379/0',
    'redis://app:1?s3cret@host:6379/0',
    'redis://app:1#s3cret@host:6379/0',
    'redis://app:pa#s3cret@host:6379/0',
    'redis://host/?db=s3cret%40x',
  ])('says nothing of what is written in %s', (url) => {
    const refused = () => place({ url });
    expect(refused).toThrow(/^connections\.main\.url .*redis:\/\/user:password@host/);
    expect(refused).not.toThrow(/s3cret|\n/);
  });

  it('still says what is wrong where there is no password', () => {
    expect(() => place({ url: 'local host' })).toThrow(/url is "local host", which is no URL/);
    expect(() => place({ url: 'localhost:6379' })).toThrow(/url begins with localhost:/);
  });

  it('names the store without credentials', () => {
    expect(storeName(place({ url: 'redis://u:canary@h:1/2' }))).toBe('redis at h:1/2');
    expect(storeName(place({ options: {} }))).toBe('redis at localhost:6379/0');
    expect(
      storeName(place({ options: { sentinels: [{ host: 's', port: 26379 }], name: 'mymaster', password: 'x' } })),
    ).toBe('redis mymaster by the sentinels at s:26379');
    expect(
      storeName(
        place({
          cluster: {
            nodes: [
              { host: 'a', port: 1 },
              { host: 'b', port: 2 },
            ],
          },
        }),
      ),
    ).toBe('redis cluster at a:1, b:2');
    const cluster = new Cluster(['redis://u:canary@h:7'], { lazyConnect: true });
    expect(storeName(place({ client: cluster }))).toBe('redis cluster at h:7');
    cluster.disconnect();
  });

  it('can hand to a thread what is data alone', () => {
    const made = place({ url: 'redis://u:p@h', options: { tls: { ca: 'x' } } });
    expect(cloneable(made)).toEqual(made);
    expect(cloneable(place({ options: { retryStrategy: () => 1 } }))).toBeUndefined();
    const client = new Redis({ lazyConnect: true });
    expect(cloneable(place({ client }))).toBeUndefined();
    expect(() => place({ options: client })).toThrow(/Give it as connections\.main\.client/);
    client.disconnect();
  });
});

describe('what a server says of itself', () => {
  const info = (...lines: string[]) => serverFacts(['# Server', ...lines].join('\r\n'));

  it.each([
    ['6.0.16', false, false],
    ['6.2.0', true, false],
    ['7.0.15', true, true],
    ['8.2.1', true, true],
  ])('knows Redis %s', (version, isSupported, hasFlags) => {
    expect(info(`redis_version:${version}`)).toMatchObject({ version: `Redis ${version}`, isSupported, hasFlags });
  });

  it('takes Valkey for the Redis that it says it is', () => {
    expect(info('redis_version:7.2.4', 'valkey_version:8.0.1')).toMatchObject({
      version: 'Valkey 8.0.1',
      isSupported: true,
      hasFlags: true,
    });
  });

  it('may use it where it does not say what it is', () => {
    expect(info()).toMatchObject({ isSupported: true, hasFlags: false });
  });

  it('goes by the oldest of several, and tells of the one that evicts', () => {
    const old = info('redis_version:6.2.1', 'maxmemory_policy:noeviction', 'redis_mode:cluster');
    const recent = info('redis_version:7.4.0', 'maxmemory_policy:allkeys-lru', 'redis_mode:cluster');
    const all = factsOfAll([recent, old]);
    expect(all).toMatchObject({ isSupported: true, hasFlags: false, isCluster: true, evictionPolicy: 'allkeys-lru' });
    expect(evicts(all)).toBe(true);
    expect(evicts(old)).toBe(false);
    const silent = info('redis_version:7.4.0', 'redis_mode:cluster');
    expect(factsOfAll([old, silent]).evictionPolicy).toBeUndefined();
    expect(factsOfAll([silent, recent]).evictionPolicy).toBe('allkeys-lru');
    expect(factsOfAll([recent, info('redis_version:5.0.0')])).toMatchObject({
      isSupported: false,
      version: 'Redis 5.0.0',
    });
  });
});
