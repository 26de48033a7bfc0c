import { setTimeout as sleep } from 'node:timers/promises';
import type { BriefInsert, InsertParts } from '../server/brief-insert.js';
import { isOwn, type Link, type Param, type Statement } from '../server/link.js';
import { isLockWait } from './mysql-faults.js';

/** Between two looks at a row that somebody has. */
const LOOK_EVERY_MS = 20;

/**
 * The server counts its waits in whole seconds, so this one looks again and again without waiting.
 *
 * Only the row itself counts as held. An INSERT also waits for gaps beside other rows, which say nothing about this key: they are
 * waited for as ever.
 */
export class MysqlBriefInsert implements BriefInsert {
  readonly #look: Statement;
  readonly #insert: Statement;
  readonly #insertAtOnce: Statement;

  constructor(statement: (text: string) => Statement, { table, columns, values, complete }: InsertParts) {
    const insert = complete(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${values.join(', ')})`);
    const [key] = columns;
    this.#look = statement(`SELECT ${key!} FROM ${table} WHERE ${key!} = ? FOR UPDATE NOWAIT`);
    this.#insert = statement(insert);
    // A comment to MySQL, which has nothing like it.
    this.#insertAtOnce = statement(`/*M!100301 SET STATEMENT innodb_lock_wait_timeout = 0 FOR */ ${insert}`);
  }

  async run(link: Link, params: readonly Param[], ms: number): Promise<boolean | undefined> {
    const giveUpAt = performance.now() + ms;
    // In REPEATABLE READ, which an application's transaction may have, a look at a row that is not there locks the gap: two who have
    // done so cannot insert. There it is looked only at what was found to be held.
    let looks = isOwn(link);
    for (let refused = false; ;) {
      if (looks && !(await this.#isFree(link, params[0]!))) {
        const left = giveUpAt - performance.now();
        if (left <= 0) return undefined;
        await sleep(Math.min(left, LOOK_EVERY_MS));
        continue;
      }
      try {
        const { changes } = await link.query(refused ? this.#insert : this.#insertAtOnce, params);
        return changes > 0;
      } catch (error) {
        if (refused || !isLockWait(error)) throw error;
        refused = looks = true;
      }
    }
  }

  async #isFree(link: Link, key: Param): Promise<boolean> {
    try {
      await link.query(this.#look, [key]);
      return true;
    } catch (error) {
      if (isLockWait(error)) return false;
      throw error;
    }
  }
}
