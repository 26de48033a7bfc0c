import type { PushEntry, PushResult } from '../../../contracts/queue-driver.js';
import { entryFault } from '../../entry-fault.js';
import type { QueueStatements } from './dialect.js';
import type { Faults } from './faults.js';
import { LostLinkError, nested, Undone, type Link } from './link.js';
import { lockPatience, type LockPatience, type LockRows } from './lock-rows.js';

/** Stores entries one by one, with the lock and the memory that come with them, within an open transaction. */
export class EntryRows {
  constructor(
    private readonly statements: QueueStatements,
    private readonly locks: LockRows,
    private readonly faults: Faults,
  ) {}

  /**
   * An entry that cannot be stored is answered with `error`, and the transaction goes on; what the whole store is to blame for is thrown.
   *
   * @param patience one for all entries of a push: what is behind them waits no longer than for one
   */
  async store(link: Link, entry: PushEntry, patience: LockPatience = lockPatience()): Promise<PushResult> {
    const fault = entryFault(entry);
    if (fault) return { stored: false, reason: 'error', error: fault };
    try {
      return await nested(link, async () => {
        const result = await this.#put(link, entry, patience);
        // Back to the savepoint, so that a lock that is somebody else's is not held until the caller's transaction ends.
        if (!result.stored && entry.lock) throw new NotStored(result);
        return result;
      });
    } catch (error) {
      if (error instanceof NotStored) return error.result;
      if (!this.isEntrys(error)) throw error;
      return { stored: false, reason: 'error', error };
    }
  }

  /** Follow-ups, in order. @throws where one of them cannot be stored; what was stored before it is for the caller to roll back */
  async storeAll(link: Link, entries: readonly PushEntry[]): Promise<void> {
    for (const entry of entries) {
      const fault = entryFault(entry);
      if (fault) throw new TypeError('A follow-up cannot be stored.', { cause: fault });
    }
    const plain = entries.every(({ lock, once }) => !lock && !once);
    if (plain && entries.length > 0) await this.statements.insert(link, entries);
    else for (const entry of entries) await this.#put(link, entry);
  }

  /** One value or one row is to blame: what stands beside it can be stored. */
  isEntrys(error: unknown): boolean {
    return error instanceof TypeError || (!(error instanceof LostLinkError) && this.faults.of(error) === 'row');
  }

  /** A repeat is answered as a repeat before its lock is looked at. */
  async #put(link: Link, entry: PushEntry, patience?: LockPatience): Promise<PushResult> {
    const { id, lock, once } = entry;
    // The remembered row is locked until the end: of two who push the id at once, the second waits for what becomes of the first.
    if (once && !(await this.statements.isFirst(link, id))) return { stored: false, reason: 'exists' };
    if ((lock || once) && (await this.statements.exists(link, id))) return { stored: false, reason: 'exists' };
    if (lock) {
      const { taken, by } = await this.locks.take(link, lock, patience);
      if (!taken) return { stored: false, reason: 'locked', ...(by === undefined ? {} : { by }) };
    }
    const [stored] = await this.statements.insert(link, [entry]);
    if (once) await this.statements.remember(link, id, once.ttlMs);
    return stored ? { stored } : { stored: false, reason: 'exists' };
  }
}

class NotStored extends Undone {
  constructor(readonly result: PushResult) {
    super('Not stored.');
  }
}
