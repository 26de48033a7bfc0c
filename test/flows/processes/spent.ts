import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Gauges } from '../../fixtures/processes/gauges.js';
import { rawSql } from '../../support/raw-sql.js';
import type { Child, Site, siteServer, SiteStore } from './site.js';

/** What a process uses while it is watched. */
export interface Spent {
  readonly seconds: number;
  /** Of one CPU. */
  readonly cpu: number;
  readonly heapMb: number;
  readonly resources: number;
}

/** A server's account of what it was asked. */
export interface Book {
  /** How many statements it was asked so far. */
  read(): Promise<number>;
  close(): Promise<void>;
}

/** What a worker uses in so long, by its own gauges. */
export async function spent(site: Site, worker: Child, ms: number): Promise<Spent> {
  const before = await gauge(site, worker);
  await sleep(ms);
  const after = await gauge(site, worker);
  const passed = after.at - before.at;
  return {
    seconds: passed / 1_000,
    cpu: (after.info.cpuMs - before.info.cpuMs) / passed,
    heapMb: (after.info.heap - before.info.heap) / 1_048_576,
    resources: after.info.resources - before.info.resources,
  };
}

async function gauge(site: Site, worker: Child) {
  const before = site.lines('gauge').length;
  worker.kill('SIGIO');
  await site.until('a gauge', () => site.lines('gauge').length > before);
  const { at, info } = site.lines('gauge').at(-1)!;
  return { at, info: info as Gauges };
}

/** Those that `openBook` needs. */
export function settingsOf(store: SiteStore) {
  // The statistics of a database come seconds late; its log does not.
  return store === 'postgres' ? { settings: { log_statement: 'all', log_line_prefix: '%a: ' } } : {};
}

/** By the server's own account, without what the reading adds to it. */
export async function openBook(server: Awaited<ReturnType<typeof siteServer>>): Promise<Book> {
  if ('command' in server) return openRedisBook(server.url);
  if (server.kind === 'postgres') {
    const read = (): number => server.log().match(/^nestjs-queue [^:]*: LOG: +(?:execute|statement)/gm)?.length ?? 0;
    return { read: () => Promise.resolve(read()), close: () => Promise.resolve() };
  }
  const raw = await rawSql(server.kind, server.url);
  let reads = 0;
  return {
    async read() {
      const [row] = await raw.sql<{ count: string }>(
        `SELECT VARIABLE_VALUE AS count FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'QUESTIONS'`,
      );
      reads += 1;
      return Number(row!.count) - reads;
    },
    close: () => raw.close(),
  };
}

/**
 * What a script does is part of its call; a wait for the bell is the one that blocks. By a bare socket, since
 * ioredis takes a line that comes together with the OK of MONITOR for an answer to nothing, and throws.
 */
async function openRedisBook(url: string): Promise<Book> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write('MONITOR\r\n');
  const lines = createInterface({ input: socket });
  let count = 0;
  const following = new Promise<void>((resolve) => lines.once('line', () => resolve()));
  lines.on('line', (line) => {
    const [, source, name] = /^\+[\d.]+ \[\d+ (\S+)\] "([^"]*)"/.exec(line) ?? [];
    if (name && source !== 'lua' && name.toLowerCase() !== 'blpop') count += 1;
  });
  await following;
  return {
    read: () => Promise.resolve(count),
    close: () => {
      lines.close();
      socket.destroy();
      return Promise.resolve();
    },
  };
}
