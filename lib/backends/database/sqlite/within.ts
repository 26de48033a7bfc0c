import type { PushEntry, PushResult, TransactAbility } from '../../../contracts/queue-driver.js';
import type { Clock } from '../../../support/clock.js';
import { describe, InvalidOptionError } from '../../../support/queue-error.js';
import { isDataSource, type DataSourceLike, type EntityManagerLike } from '../database-options.js';
import { entryFault } from '../../entry-fault.js';
import type { Tables } from '../table-names.js';
import type { LockRows } from './locks.js';
import { insertParams, type PushRows } from './push.js';
import type { SqliteSchema } from './schema.js';
import { bindable, readable, type Value } from './session.js';
import { isRowFault } from './sqlite-fault.js';
import type { SqliteFile } from './sqlite-file.js';
import { fileOfManager } from './sqlite-source.js';

/**
 * Pushes through the caller's EntityManager: the same statements, on the connection that holds the caller's transaction. Workers hear
 * of the commit by the file itself.
 */
export class SqliteTransactions implements TransactAbility {
  constructor(
    private readonly file: SqliteFile,
    private readonly tables: Tables,
    private readonly schema: SqliteSchema,
    private readonly pushes: PushRows,
    private readonly locks: LockRows,
    private readonly clock: Clock,
  ) {}

  /** @throws InvalidOptionError for what is no EntityManager, or one of another database */
  within(given: unknown): { push(entries: readonly PushEntry[]): Promise<readonly PushResult[]> } {
    const manager = this.#checked(given);
    return {
      push: async (entries) => {
        if (entries.length > 0 && !this.file.isOpen) await this.#install(manager);
        const results: PushResult[] = [];
        for (const entry of entries) results.push(await this.#store(manager, entry));
        return results;
      },
    };
  }

  /** A file has one writer: beside a transaction on it a push could only wait until it ends. */
  joins(manager: unknown): boolean {
    return (
      typeof manager === 'object' &&
      manager !== null &&
      typeof (manager as EntityManagerLike).query === 'function' &&
      this.#isOurs(manager as EntityManagerLike)
    );
  }

  covers(manager: unknown): boolean {
    return this.joins(manager);
  }

  /** They are heard of by the file. */
  committed(): void {}

  async #store(manager: EntityManagerLike, entry: PushEntry): Promise<PushResult> {
    const fault = entryFault(entry);
    if (fault) return { stored: false, reason: 'error', error: fault };
    const now = this.clock.now();
    try {
      if (entry.lock || entry.once) {
        const repeat = entry.once
          ? await rowsOf(manager, this.pushes.known, [entry.id, entry.id, now])
          : await rowsOf(manager, this.pushes.lives, [entry.id]);
        if (repeat.length > 0) return { stored: false, reason: 'exists' };
      }
      if (entry.lock) {
        const taken = await rowsOf(manager, ...this.locks.taking(entry.lock, now));
        if (taken.length === 0) {
          const [holder] = await rowsOf(manager, ...this.locks.owning(entry.lock.key, now));
          return { stored: false, reason: 'locked', ...(holder ? { by: String(readable(holder['owner'])) } : {}) };
        }
      }
      const stored = await rowsOf(manager, `${this.pushes.insert} RETURNING seq`, insertParams(entry, now));
      if (stored.length === 0) return { stored: false, reason: 'exists' };
      if (entry.once) await rowsOf(manager, `${this.pushes.remember} RETURNING id`, [entry.id, now + entry.once.ttlMs]);
      return { stored: true };
    } catch (error) {
      if (!isRowFault((error as { driverError?: unknown }).driverError ?? error)) throw error;
      return { stored: false, reason: 'error', error };
    }
  }

  /**
   * The tables are made in the caller's transaction too, where nobody has used them yet: another connection could not write beside it,
   * and they vanish with it if it is rolled back.
   */
  async #install(manager: EntityManagerLike): Promise<void> {
    const { sql } = this.schema;
    const existing = new Set((await rowsOf(manager, sql.existing, [])).map((row) => String(row['name'])));
    const rows = existing.has(this.tables.bare.schema) ? await rowsOf(manager, sql.versions, []) : [];
    const recorded = new Map(rows.map((row) => [String(row['name']), Number(row['version'])] as const));
    const found = { recorded, existing };
    if (this.schema.isCurrent(found)) return;
    for (const statement of this.schema.statements(found)) await manager.query(statement);
  }

  #checked(given: unknown): EntityManagerLike {
    const manager = given as EntityManagerLike | null | undefined;
    if (typeof manager !== 'object' || manager === null || typeof manager.query !== 'function') {
      throw new InvalidOptionError(
        `within() was given ${describe(given)}. Give it the EntityManager of a TypeORM transaction.`,
      );
    }
    if (!this.#isOurs(manager)) {
      throw new InvalidOptionError(
        `within() was given an EntityManager of another database than the queue's (${this.file.source.path}): the job could not commit with it. Use the queue's own DataSource, or afterCommit.`,
      );
    }
    return manager;
  }

  #isOurs(manager: EntityManagerLike): boolean {
    const { path, shared } = this.file.source;
    const dataSource: DataSourceLike | undefined = isDataSource(manager.dataSource) ? manager.dataSource : undefined;
    if (!shared) return fileOfManager(dataSource) === path;
    const driver = dataSource?.driver as { readonly databaseConnection?: unknown } | undefined;
    // Another file's manager is settled before the handle is asked for: that throws where the database is closed.
    return fileOfManager(dataSource) === path && driver?.databaseConnection === shared();
  }
}

async function rowsOf(
  manager: EntityManagerLike,
  sql: string,
  params: readonly Value[],
): Promise<readonly Record<string, unknown>[]> {
  return (await manager.query(sql, params.map(bindable))) as Record<string, unknown>[];
}
