import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import type { Backend, BackendContext } from '../../lib/contracts/backend.js';
import type { PushEntry, ReserveRequest } from '../../lib/contracts/queue-driver.js';
import { databaseBackend } from '../../lib/backends/database/database-backend.js';
import type { DatabaseConnectionOptions } from '../../lib/backends/database/database-options.js';
import { systemClock, type Clock } from '../../lib/support/clock.js';

/** A directory of its own for the files of one test, and everything that is to be closed with it. */
export class SqliteFiles {
  #directory: Promise<string> | undefined;
  readonly #open: { close(): unknown }[] = [];

  async path(name = 'queue.sqlite'): Promise<string> {
    this.#directory ??= mkdtemp(join(tmpdir(), 'queue-sqlite-'));
    return join(await this.#directory, name);
  }

  async backend(
    over: Partial<BackendContext> = {},
    options: Partial<DatabaseConnectionOptions> = {},
  ): Promise<Backend> {
    const dataSource = { type: 'better-sqlite3', database: await this.path(), driver: Database };
    const backend = databaseBackend({ driver: 'database', dataSource, ...options }, backendContext(over));
    this.#open.push(backend);
    return backend;
  }

  /** A connection that knows nothing of the queue. */
  async raw(name?: string): Promise<Database.Database> {
    const database = new Database(await this.path(name));
    this.#open.push(database);
    return database;
  }

  /** Keeps every writer out until the answer is called. */
  async hold(): Promise<() => Promise<void>> {
    const other = await this.raw();
    other.exec('BEGIN IMMEDIATE');
    return async () => void other.exec('COMMIT');
  }

  closeWith(one: { close(): unknown }): void {
    this.#open.push(one);
  }

  async close(): Promise<void> {
    for (const one of this.#open.splice(0)) await one.close();
    if (this.#directory) await rm(await this.#directory, { recursive: true, force: true });
    this.#directory = undefined;
  }
}

export function backendContext(over: Partial<BackendContext> = {}): BackendContext {
  return {
    connection: 'database',
    clock: systemClock as Clock,
    dispatchTimeoutMs: 5_000,
    run: () => Promise.reject(new Error('a database connection runs nothing itself')),
    afterResponse: (fn) => void fn(),
    dataSource: () => undefined,
    warn: () => {},
    ...over,
  };
}

let ids = 0;

export function job(over: Partial<PushEntry> = {}): PushEntry {
  return { id: `job-${++ids}`, queue: 'default', body: '{}', delayMs: 0, ...over };
}

export function jobs(count: number, over: Partial<PushEntry> = {}): PushEntry[] {
  return Array.from({ length: count }, () => job(over));
}

export function request(over: Partial<ReserveRequest> = {}): ReserveRequest {
  return { queues: ['default'], limit: 10, leaseMs: 30_000, waitMs: 0, signal: new AbortController().signal, ...over };
}
