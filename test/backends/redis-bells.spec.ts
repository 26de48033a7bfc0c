import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Keyspace } from '../../lib/backends/redis/keyspace.js';
import { RedisBells, type QueueWait } from '../../lib/backends/redis/redis-bells.js';
import { RedisLinks } from '../../lib/backends/redis/redis-links.js';
import { redisPlace, type RedisConnectionOptions } from '../../lib/backends/redis/redis-options.js';
import { startRedis, type RedisCluster, startRedisCluster, type RedisServer } from '../support/redis-servers.mjs';
import { describeRedis, START_LIMIT_MS } from '../support/shared-redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { LONG_MS, sleep, until } from './redis-harness.js';

type Place = Omit<RedisConnectionOptions, 'driver'>;

class Site {
  readonly links: RedisLinks;
  readonly bells: RedisBells;
  readonly prefix: string;

  constructor(place: Place) {
    this.links = new RedisLinks({
      connection: 'main',
      place: redisPlace({ driver: 'redis', ...place }, 'main'),
      warn: () => undefined,
    });
    this.prefix = place.prefix ?? 'queue';
    this.bells = new RedisBells(this.links, new Keyspace(place.prefix));
  }

  /** As a look that found nothing, and the wait behind it: the promise is settled by the next ring. */
  async waiting(...queues: string[]): Promise<{ wait: QueueWait; rung: () => boolean }> {
    const wait = this.bells.wait(queues);
    const next = wait.bell.next();
    let rung = false;
    void next.rung.then(() => (rung = true));
    wait.listen();
    await until(() => this.bells.hearing, 'the bells are heard');
    // The server has the command.
    await sleep(30);
    return { wait, rung: () => rung };
  }

  send(command: string, ...args: (string | number)[]): Promise<unknown> {
    return this.links.commands.send(command, args, { ms: 5_000, lost: 'repeat' });
  }

  /** As a push does. */
  ring(queue: string): Promise<unknown> {
    return this.send('RPUSH', `${this.prefix}:{${queue}}:bell`, '1');
  }

  markers(queue: string): Promise<unknown> {
    return this.send('LLEN', `${this.prefix}:{${queue}}:bell`);
  }

  async close(): Promise<void> {
    await this.bells.close();
    await this.links.close();
  }
}

const open: Site[] = [];
function site(place: Place): Site {
  const made = new Site(place);
  open.push(made);
  return made;
}
const closeAll = async (): Promise<void> => void (await Promise.all(open.splice(0).map((one) => one.close())));

describeRedis('the bells of redis queues', () => {
  let server: RedisServer;
  let proxy: TcpProxy;
  beforeAll(async () => void (server = await startRedis()), START_LIMIT_MS);
  beforeEach(async () => {
    await server.command('FLUSHALL');
    proxy = await TcpProxy.to(server.port);
  });
  afterEach(async () => {
    await closeAll();
    await proxy.close();
  });
  afterAll(() => server.close());
  const clients = async (): Promise<number> =>
    String(await server.command('CLIENT', 'LIST'))
      .split('\n')
      .filter((line) => line.includes(' flags=b ')).length;

  it('are heard from another process at once, by one connection for all queues', async () => {
    const [here, there] = [site({ url: server.url }), site({ url: server.url })];
    const a = await here.waiting('a', 'b');
    const c = await here.waiting('c');
    expect(await clients()).toBe(1);
    const began = performance.now();
    await there.ring('c');
    await until(c.rung, 'c is rung');
    expect(performance.now() - began).toBeLessThan(500);
    expect(a.rung()).toBe(false);
    expect(await here.markers('c')).toBe(0);
    await there.ring('b');
    await until(a.rung, 'b is rung');
  });

  it('one marker wakes one process', async () => {
    const sites = [site({ url: server.url }), site({ url: server.url }), site({ url: server.url })];
    const waits = [];
    for (const one of sites) waits.push(await one.waiting('a'));
    await sites[0]!.ring('a');
    await sleep(200);
    expect(waits.filter(({ rung }) => rung())).toHaveLength(1);
  });

  it('a marker from before the wait is found by it', async () => {
    const here = site({ url: server.url });
    await here.ring('a');
    const { rung } = await here.waiting('a');
    await until(rung, 'it is rung');
    expect(await here.markers('a')).toBe(0);
  });

  it('with a key prefix of the client', async () => {
    const here = site({ url: server.url, options: { keyPrefix: 'app:' } });
    const { rung } = await here.waiting('a');
    await server.command('RPUSH', 'app:queue:{a}:bell', '1');
    await until(rung, 'it is rung');
    expect(await server.command('EXISTS', 'app:queue:{a}:bell')).toBe(0);
  });

  it('nobody waits, so nothing is out; what is still out gives back what it takes', async () => {
    const here = site({ url: server.url });
    expect(await clients()).toBe(0);
    const { wait } = await here.waiting('a');
    wait.off();
    // Jobs that somebody else should take.
    await here.send('RPUSH', 'queue:{a}:ready', 'id');
    await here.ring('a');
    await until(async () => (await here.markers('a')) === 1, 'the marker is given back');
    expect(await clients()).toBe(0);
  });

  it('a wait that was rung and ended without a look gives the marker back; one behind a look does not', async () => {
    const here = site({ url: server.url });
    await here.send('RPUSH', 'queue:{a}:ready', 'id');
    const looked = await here.waiting('a');
    await here.ring('a');
    await until(looked.rung, 'it is rung');
    looked.wait.bell.next().off();
    looked.wait.off();
    await sleep(100);
    expect(await here.markers('a')).toBe(0);
    const ended = await here.waiting('a');
    await here.ring('a');
    await until(ended.rung, 'it is rung');
    ended.wait.off();
    await until(async () => (await here.markers('a')) === 1, 'the marker is given back');
  });

  it('what this process stores rings here, whether or not the server does', async () => {
    const here = site({ url: server.url });
    const wait = here.bells.wait(['a']);
    let rung = 0;
    void wait.bell.next().rung.then(() => (rung += 1));
    here.bells.stored(['b']);
    here.bells.stored(['a']);
    await sleep(1);
    expect(rung).toBe(1);
    wait.off();
  });

  it('an empty answer is remembered until something rings', () => {
    const { bells } = site({ url: server.url });
    const wait = bells.wait(['a']);
    bells.foundEmpty(['a'], 1_234, bells.rings);
    expect(bells.stillEmpty(['a'])).toBe(1_234);
    expect(bells.stillEmpty(['a', 'b'])).toBeUndefined();
    bells.stored(['a']);
    expect(bells.stillEmpty(['a'])).toBeUndefined();
    const before = bells.rings;
    bells.stored(['a']);
    bells.foundEmpty(['a'], 1_234, before);
    expect(bells.stillEmpty(['a'])).toBeUndefined();
    wait.off();
  });

  it(
    'are heard again after a loss, and ring once then',
    async () => {
      const [here, there] = [site({ url: proxy.url(server.url) }), site({ url: server.url })];
      const first = await here.waiting('a');
      proxy.refuse();
      await until(() => !here.bells.hearing, 'the loss is known');
      await sleep(1_000);
      expect(first.rung()).toBe(false);
      proxy.restore();
      await until(first.rung, 'what may have been missed is looked for');
      const second = await here.waiting('a');
      await there.ring('a');
      await until(second.rung, 'it is rung');
      expect(await there.markers('a')).toBe(0);
    },
    LONG_MS,
  );

  it(
    'a way that is dead without a word is given up, and the next one is heard',
    async () => {
      const [here, there] = [site({ url: proxy.url(server.url) }), site({ url: server.url })];
      const first = await here.waiting('a');
      proxy.blackhole();
      await until(() => !here.bells.hearing, 'it is known to be dead', 12_000);
      proxy.restore();
      await until(first.rung, 'what may have been missed is looked for', 12_000);
      const second = await here.waiting('a');
      await there.ring('a');
      await until(second.rung, 'it is rung');
      expect(await there.markers('a')).toBe(0);
    },
    LONG_MS,
  );

  it(
    'an answer that came while the event loop was blocked is heard, and the connection kept',
    async () => {
      const here = site({ url: server.url });
      const { rung } = await here.waiting('a');
      await sleep(4_400);
      for (const end = performance.now() + 3_000; performance.now() < end;);
      await sleep(500);
      // A connection that is replaced rings.
      expect(rung()).toBe(false);
      await here.ring('a');
      await until(rung, 'it is rung');
    },
    LONG_MS,
  );

  it('end in no time, and lose no marker', async () => {
    const [here, there] = [site({ url: server.url }), site({ url: server.url })];
    await here.waiting('a');
    await there.send('RPUSH', 'queue:{a}:ready', 'id');
    const began = performance.now();
    await here.close();
    expect(performance.now() - began).toBeLessThan(400);
    expect(await clients()).toBe(0);
    await there.ring('a');
    expect(Number(await there.markers('a'))).toBeGreaterThan(0);
  });
});

describeRedis('the bells of queues on a cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => void (cluster = await startRedisCluster()), START_LIMIT_MS);
  afterEach(closeAll);
  afterAll(() => cluster.close());

  it(
    'are heard for queues of all slots, also after their node was away',
    async () => {
      const place = { cluster: { nodes: [...cluster.addresses] }, prefix: `q_${randomUUID()}` };
      const [here, there] = [site(place), site(place)];
      const queues = ['a', 'b', 'c', 'd'];
      for (const queue of queues) {
        const { rung, wait } = await here.waiting(...queues);
        await there.ring(queue);
        await until(rung, `${queue} is rung`);
        wait.off();
      }
      const { rung } = await here.waiting('a');
      const node = await cluster.masterOf(`${place.prefix}:{a}:bell`);
      await node.restart();
      await cluster.settled();
      await until(async () => {
        await there.ring('a');
        await sleep(100);
        return rung();
      }, 'it is rung');
      await here.waiting('a');
      expect(here.bells.hearing).toBe(true);
    },
    LONG_MS,
  );

  it('gives back every marker that came before its wait ended', async () => {
    const place = { cluster: { nodes: [...cluster.addresses] }, prefix: `q_${randomUUID()}` };
    const [here, there] = [site(place), site(place)];
    const queues = ['a', 'b', 'c'];
    for (const queue of queues) await there.send('RPUSH', `${place.prefix}:{${queue}}:ready`, 'id');
    const markers = () => Promise.all(queues.map((queue) => there.markers(queue)));
    const { wait, rung } = await here.waiting(...queues);
    await Promise.all(queues.map((queue) => there.ring(queue)));
    await until(rung, 'it is rung');
    await until(async () => (await markers()).every((left) => left === 0), 'all are taken');
    // They have come here.
    await sleep(50);
    wait.off();
    await until(async () => !(await markers()).includes(0), 'all are given back', 2_000);
    expect(await markers()).toEqual([1, 1, 1]);
  });
});
