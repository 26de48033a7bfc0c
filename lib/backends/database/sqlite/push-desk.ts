import type { BackendContext } from '../../../contracts/backend.js';
import type { PushEntry, PushResult } from '../../../contracts/queue-driver.js';
import { DispatchTimeoutError, StoreFullError } from '../../../contracts/store-errors.js';
import { chunks } from '../../../support/chunks.js';
import { Gatherer } from '../../../support/gatherer.js';
import { StoreBusyError } from '../../store-state-errors.js';
import { NotAsOne, type PushRows } from './push.js';
import { isFull } from './sqlite-fault.js';
import type { Patience, SqliteFile } from './sqlite-file.js';

/** What to do about a file that stays locked. */
const HELD =
  'Another connection holds the write lock of its file: look for a transaction that stays open. Inside a transaction of your own, dispatch with .within(manager).';
/** Entries of one transaction: about 8 ms of it. */
const CHUNK = 1_000;
/** Kept from the start: a test may replace the global one. */
const { queueMicrotask } = globalThis;

interface Answer {
  readonly results: readonly PushResult[];
  /** Nothing of this call was stored, for this reason. */
  readonly thrown?: { readonly error: unknown };
}

/**
 * Where pushes come in. Calls made in one go, a hundred dispatches under one `Promise.all`, share a transaction: 10 µs a job instead of
 * 32. They are gathered by a microtask, which costs a single call nothing, and stored in the order in which they came.
 */
export class PushDesk {
  readonly #gatherer = new Gatherer<readonly PushEntry[], Answer>((calls) => this.#inTurn(calls), queueMicrotask);
  #last: Promise<unknown> | undefined;

  constructor(
    private readonly file: SqliteFile,
    private readonly rows: PushRows,
    private readonly context: BackendContext,
    private readonly stored: () => void,
  ) {}

  async push(entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    if (entries.length === 0) return [];
    const { results, thrown } = await this.#gatherer.add(entries);
    if (thrown) throw thrown.error;
    return results;
  }

  async #inTurn(calls: readonly (readonly PushEntry[])[]): Promise<readonly Answer[]> {
    const giveUpAt = performance.now() + this.context.dispatchTimeoutMs;
    const before = this.#last;
    const storing = before ? before.then(() => this.#store(calls, giveUpAt)) : this.#store(calls, giveUpAt);
    this.#last = storing;
    try {
      return await storing;
    } finally {
      if (this.#last === storing) this.#last = undefined;
    }
  }

  /** Never rejects. */
  async #store(calls: readonly (readonly PushEntry[])[], giveUpAt: number): Promise<readonly Answer[]> {
    const results: PushResult[] = [];
    let thrown: { readonly error: unknown } | undefined;
    for (const some of chunks(calls.length === 1 ? calls[0]! : calls.flat(), CHUNK)) {
      try {
        results.push(...(await this.#storeSome(some, giveUpAt)));
      } catch (error) {
        thrown = { error: this.#named(error) };
        break;
      }
    }
    if (results.some((result) => result.stored)) this.stored();
    let at = 0;
    return calls.map((call) => {
      const own = results.slice(at, at + call.length);
      at += call.length;
      if (thrown === undefined) return { results: own };
      if (own.length === 0) return { results: own, thrown };
      const rest = Array.from({ length: call.length - own.length }, () => errorResult(thrown!.error));
      return { results: [...own, ...rest] };
    });
  }

  async #storeSome(entries: readonly PushEntry[], giveUpAt: number): Promise<readonly PushResult[]> {
    const patience = (): Patience => ({ ms: Math.max(1, giveUpAt - performance.now()), join: true });
    const now = (): number => this.context.clock.now();
    try {
      return await this.file.write((session) => this.rows.storeAll(session, entries, now()), patience());
    } catch (error) {
      if (!(error instanceof NotAsOne)) throw error;
    }
    return this.file.write((session) => {
      const at = now();
      return entries.map((entry) => this.rows.store(session, entry, at));
    }, patience());
  }

  #named(error: unknown): unknown {
    const { connection, dispatchTimeoutMs } = this.context;
    if (error instanceof StoreBusyError)
      return new DispatchTimeoutError(connection, dispatchTimeoutMs, { cause: error, advice: HELD });
    return isFull(error) ? new StoreFullError(connection, error) : error;
  }
}

function errorResult(error: unknown): PushResult {
  return { stored: false, reason: 'error', error };
}
