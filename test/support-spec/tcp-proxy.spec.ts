import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createConnection, type Connection } from 'mysql2/promise';
import { setTimeout as sleep } from 'node:timers/promises';
import { TcpProxy } from '../support/tcp-proxy.js';
import { describeServer, useDatabase } from '../support/shared-servers.js';

describe('between a client and a server that echoes', () => {
  let echo: Server;
  let proxy: TcpProxy;
  let served: string[];
  const clients: Client[] = [];

  beforeEach(async () => {
    // A constant, as late ends of one test's connections must not count in the next.
    const heard: string[] = [];
    served = heard;
    echo = createServer((socket) => {
      const mine = heard.push('') - 1;
      socket.on('error', () => (heard[mine] += '!'));
      socket.on('end', () => (heard[mine] += '.'));
      socket.on('data', (chunk) => {
        heard[mine] += chunk.toString();
        socket.write(chunk);
      });
    }).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    proxy = await TcpProxy.to((echo.address() as AddressInfo).port);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.socket.destroy();
    await proxy.close();
    echo.close();
  });
  const dial = async (): Promise<Client> => {
    const client = new Client(connect(proxy.port, '127.0.0.1'));
    clients.push(client);
    await once(client.socket, 'connect');
    return client;
  };

  it('passes bytes and ends both ways, and counts connections', async () => {
    const [one, two] = [await dial(), await dial()];
    expect(await one.says('hello')).toBe('hello');
    expect(await two.says('there')).toBe('there');
    expect([proxy.connections.length, proxy.accepted]).toEqual([2, 2]);
    one.socket.end();
    expect(await one.end).toBe('end');
    expect([proxy.connections.length, proxy.accepted]).toEqual([1, 2]);
    expect(served).toEqual(['hello.', 'there']);
  });

  it('resets all, or one; new clients pass', async () => {
    const [one, two] = [await dial(), await dial()];
    await one.says('a');
    await two.says('b');
    proxy.connections[1]!.reset();
    expect(await two.end).toBe('ECONNRESET');
    expect(await one.says('c')).toBe('ac');
    proxy.reset();
    expect(await one.end).toBe('ECONNRESET');
    expect(await (await dial()).says('d')).toBe('d');
    expect(proxy.connections).toHaveLength(1);
  });

  it('refuses until restored', async () => {
    proxy.refuse();
    expect(await new Client(connect(proxy.port, '127.0.0.1')).end).toBe('ECONNRESET');
    proxy.restore();
    expect(await (await dial()).says('a')).toBe('a');
  });

  it('swallows everything, ends too, and lets it through when restored', async () => {
    const [one, leaver] = [await dial(), await dial()];
    await one.says('a');
    await leaver.says('l');
    proxy.blackhole();
    const late = await dial();
    late.socket.write('late');
    one.socket.write('b');
    leaver.socket.destroy();
    await sleep(100);
    expect([one.got, late.got, served]).toEqual(['a', '', ['a', 'l', '']]);
    expect([one.over, late.over]).toEqual([false, false]);
    // Who hung up is no longer a client, though the server does not know.
    expect(proxy.connections).toHaveLength(2);
    proxy.restore();
    await Promise.all([one.has('ab'), late.has('late')]);
    expect(served.slice(0, 2)).toEqual(['ab', expect.stringMatching(/^l[.!]$/)]);
  });

  it('freezes one connection beside others', async () => {
    const [one, two] = [await dial(), await dial()];
    await one.says('a');
    proxy.connections[0]!.blackhole();
    one.socket.write('b');
    expect(await two.says('c')).toBe('c');
    expect(one.got).toBe('a');
    proxy.connections[0]!.restore();
    await one.has('ab');
  });

  it('delays each way, in order', async () => {
    const client = await dial();
    await client.says('a');
    proxy.delay(60);
    const began = performance.now();
    client.socket.write('b');
    await sleep(5);
    client.socket.write('c');
    await client.has('abc');
    expect(performance.now() - began).toBeGreaterThanOrEqual(119);
    proxy.restore();
    await client.says('d');
    expect(client.got).toBe('abcd');
  });

  it.each([0, 1, 4, 5])('cuts after %d bytes of the client', async (after) => {
    const client = await dial();
    await client.says('x');
    proxy.cut({ from: 'client', after });
    client.socket.write('hello');
    expect(await client.end).toBe('ECONNRESET');
    await until(() => served[0]!.endsWith('.'));
    expect(served[0]).toBe(`x${'hello'.slice(0, after)}.`);
  });

  it('cuts after so many bytes of the server, which has read all', async () => {
    proxy.cut({ from: 'server', after: 2 });
    const client = await dial();
    client.socket.write('hello');
    expect(await client.end).toBe('ECONNRESET');
    expect([client.got, served[0]!.slice(0, 5)]).toEqual(['he', 'hello']);
  });

  it('cuts each connection, or only the first', async () => {
    proxy.cut({ from: 'client', after: 1 });
    for (const client of [await dial(), await dial()]) {
      client.socket.write('hello');
      expect(await client.end).toBe('ECONNRESET');
    }
    proxy.cut({ from: 'client', after: 1, once: true });
    const [one, two] = [await dial(), await dial()];
    one.socket.write('hello');
    expect(await one.end).toBe('ECONNRESET');
    expect(await two.says('hello')).toBe('hello');
    expect(await (await dial()).says('hello')).toBe('hello');
  });

  it('passes on that the server is down', async () => {
    echo.close();
    const client = new Client(connect(proxy.port, '127.0.0.1'));
    expect(['end', 'ECONNRESET']).toContain(await client.end);
    await until(() => proxy.connections.length === 0);
  });
});

describeServer('mariadb', 'between a client and MariaDB', () => {
  const database = useDatabase('mariadb');
  let proxy: TcpProxy;
  let client: Connection;
  beforeEach(async () => {
    proxy = await TcpProxy.to(Number(new URL(database.url).port));
    client = await createConnection(proxy.url(database.url).replace('mariadb:', 'mysql:'));
    client.on('error', () => undefined);
    await client.query('CREATE TABLE IF NOT EXISTS t (id INT)');
    await client.query('DELETE FROM t');
  });
  afterEach(async () => {
    client.destroy();
    await proxy.close();
  });
  const stored = async (): Promise<number> => {
    const direct = await createConnection(database.url.replace('mariadb:', 'mysql:'));
    const [rows] = await direct.query('SELECT id FROM t');
    await direct.end();
    return (rows as unknown[]).length;
  };

  it('loses the reply to a command that was carried out', async () => {
    proxy.cut({ from: 'server', after: 0 });
    await expect(client.query('INSERT INTO t VALUES (1)')).rejects.toThrow(/ECONNRESET|closed|lost/i);
    expect(await stored()).toBe(1);
  });

  it('loses half a command, which is then not carried out', async () => {
    proxy.cut({ from: 'client', after: 12 });
    await expect(client.query('INSERT INTO t VALUES (1)')).rejects.toThrow(/ECONNRESET|closed|lost/i);
    expect(await stored()).toBe(0);
  });

  it('resets in the middle of a command', async () => {
    setTimeout(() => proxy.reset(), 50);
    await expect(client.query('SELECT SLEEP(30)')).rejects.toThrow(/ECONNRESET|closed|lost/i);
  });

  it('hangs in a black hole and goes on when that is gone', async () => {
    proxy.blackhole();
    let answered = false;
    const asked = client.query('SELECT 1').then(() => (answered = true));
    await sleep(150);
    expect(answered).toBe(false);
    proxy.restore();
    expect(await asked).toBe(true);
  });
});

/** Keeps what it hears, and how it ended: `end`, or the code of an error. */
class Client {
  got = '';
  over = false;
  readonly end: Promise<string>;

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => (this.got += chunk.toString()));
    this.end = new Promise<string>((resolve) => {
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.once('end', () => resolve('end'));
    }).finally(() => (this.over = true));
  }

  /** Resolves to all it ever heard, once the answer is in. */
  async says(text: string): Promise<string> {
    const wanted = this.got.length + text.length;
    this.socket.write(text);
    await until(() => this.got.length >= wanted);
    return this.got;
  }

  has(text: string): Promise<void> {
    return until(() => this.got === text);
  }
}

async function until(done: () => boolean): Promise<void> {
  const limit = performance.now() + 5_000;
  while (!done()) {
    if (performance.now() > limit) throw new Error('It did not come to pass within 5 s.');
    await sleep(2);
  }
}
