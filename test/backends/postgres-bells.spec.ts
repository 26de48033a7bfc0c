import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { postgresDialect } from '../../lib/backends/database/postgres/postgres-dialect.js';
import type { BellServices, Bells } from '../../lib/backends/database/server/dialect.js';
import { describeServer, START_LIMIT_MS, useDatabase } from '../support/shared-servers.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { Links } from './postgres-harness.js';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describeServer('postgres', 'bells by LISTEN and NOTIFY', () => {
  const database = useDatabase('postgres');
  const links = new Links(() => database.url);
  const open: Bells[] = [];
  let proxy: TcpProxy;
  beforeAll(async () => void (proxy = await TcpProxy.to(Number(new URL(database.url).port))), START_LIMIT_MS);
  afterEach(async () => {
    proxy.restore();
    await Promise.all(open.splice(0).map((one) => one.close()));
    links.close();
  });
  afterAll(() => proxy.close());

  /** One that hears by way of the proxy, and tells over a connection of its own. */
  const bells = async (heard: (string | undefined)[] = []): Promise<Bells & { told: () => number }> => {
    const telling = await links.open();
    let told = 0;
    const services: BellServices = {
      channel: 'queue_jobs',
      openLink: () => links.open(proxy.url(database.url)),
      use: (work) => (told++, work(telling)),
      rung: (queue) => heard.push(queue),
    };
    const made = postgresDialect.bells!(services);
    open.push(made);
    return Object.assign(made, { told: () => told });
  };
  const until = async (what: () => boolean, ms = 5_000): Promise<number> => {
    const start = performance.now();
    while (!what()) {
      if (performance.now() - start > ms) throw new Error(`not within ${ms} ms: ${what.toString()}`);
      await pause(2);
    }
    return performance.now() - start;
  };

  it('rings once it hears, and then for each queue it is told of', async () => {
    const heard: (string | undefined)[] = [];
    const [one, other] = [await bells(heard), await bells()];
    expect(one.hearing).toBe(false);
    const wait = one.listen();
    await until(() => one.hearing);
    expect(heard).toEqual([undefined]);
    other.announce(['mail', 'it\'s; "media" \\ ü']);
    await until(() => heard.length === 3);
    expect(heard.slice(1)).toEqual(['mail', 'it\'s; "media" \\ ü']);
    wait.off();
  });

  it('tells of a queue at once, and then once an interval, the last time included', async () => {
    const heard: (string | undefined)[] = [];
    const [one, other] = [await bells(heard), await bells()];
    one.listen();
    await until(() => one.hearing);
    const start = performance.now();
    for (let count = 0; performance.now() - start < 200; count++) {
      other.announce(['busy']);
      await new Promise(setImmediate);
    }
    const told = other.told();
    expect(told).toBeGreaterThan(1);
    expect(told).toBeLessThanOrEqual(22);
    await pause(100);
    expect(heard.filter((queue) => queue === 'busy').length).toBeGreaterThanOrEqual(2);
    expect(other.told() - told).toBeLessThanOrEqual(1);
  });

  it('tells three times of what will be committed soon', async () => {
    const heard: (string | undefined)[] = [];
    const [one, other] = [await bells(heard), await bells()];
    one.listen();
    await until(() => one.hearing);
    other.announceSoon(['later']);
    expect(other.told()).toBe(0);
    await until(() => heard.filter((queue) => queue === 'later').length === 3);
  });

  it('replaces a connection that was dropped, and rings: something may have been missed', async () => {
    const heard: (string | undefined)[] = [];
    const [one, other] = [await bells(heard), await bells()];
    one.listen();
    await until(() => one.hearing);
    proxy.refuse();
    await until(() => !one.hearing);
    await pause(300);
    heard.length = 0;
    proxy.restore();
    await until(() => one.hearing);
    expect(heard).toEqual([undefined]);
    other.announce(['mail']);
    await until(() => heard.includes('mail'));
  });

  it('finds a connection whose other end went away without a word', async () => {
    const heard: (string | undefined)[] = [];
    const one = await bells(heard);
    one.listen();
    await until(() => one.hearing);
    proxy.connections.forEach((connection) => connection.blackhole());
    await until(() => !one.hearing, 16_000);
    await until(() => one.hearing);
    expect(heard).toEqual([undefined, undefined]);
  }, 30_000);

  it('gives its connection back a while after the last has ended its wait', async () => {
    const one = await bells();
    const waits = [one.listen(), one.listen()];
    await until(() => one.hearing);
    for (const wait of waits) wait.off();
    await pause(500);
    expect(one.hearing).toBe(true);
    await until(() => !one.hearing, 8_000);
    one.listen();
    await until(() => one.hearing);
  }, 20_000);

  it('closes while it is connecting, while it hears, and twice', async () => {
    const connecting = await bells();
    connecting.listen();
    await connecting.close();
    expect(connecting.hearing).toBe(false);
    const hearing = await bells();
    hearing.listen();
    await until(() => hearing.hearing);
    await Promise.all([hearing.close(), hearing.close()]);
    hearing.announce(['after']);
    hearing.listen().off();
    await pause(50);
    expect([hearing.hearing, hearing.told()]).toEqual([false, 0]);
  });
});
