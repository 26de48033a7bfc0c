import { setTimeout as sleep } from 'node:timers/promises';
import { StoreFullError, StoreRefusedError, StoreUnreachableError } from '../../../contracts/store-errors.js';
import { backoffMs } from '../../../support/backoff.js';
import { QueueError } from '../../../support/queue-error.js';
import { SchemaError } from '../schema-error.js';
import { StoreBusyError, StoreClosedError } from '../../store-state-errors.js';
import type { Fault, Faults } from './faults.js';
import type { Lane } from './lane.js';
import { LostLinkError, type Link, type OwnLink } from './link.js';

/** A statement that has had no answer for so long gets none: the way to the server is dead, or the server is. */
const COMMAND_MS = 5_000;
/** How often it is looked for such. */
const LOOK_EVERY_MS = 250;
/** The same work against the same other transaction is tried so many times. */
const CONFLICTS = 5;

export interface Patience {
  /** How long all of it may take. */
  readonly ms: number;
  readonly signal?: AbortSignal;
  /**
   * What a lost connection means. `'repeat'`: the same again changes nothing more, so it is done again within the time. `'tell'`: once
   * something was sent the caller is told that the outcome is unknown.
   */
  readonly lost: 'repeat' | 'tell';
  /** Goes on while the tables are still being looked at: it is the look itself. */
  readonly early?: true;
}

/**
 * Runs work on connections, and sees to what may go wrong on the way: a server that is away is tried again within the time there is, a
 * deadlock is tried again at once, a connection that does not answer is thrown away. What is thrown says what to do.
 */
export class StoreAccess {
  readonly #inUse = new Map<OwnLink, number>();
  #looking: NodeJS.Timeout | undefined;
  #isReady = false;
  #closed = false;

  constructor(
    private readonly names: { readonly connection: string; readonly store: string },
    private readonly faults: Faults,
    /** Makes sure that the tables are there. */
    private readonly prepare: (link: Link) => Promise<void>,
  ) {}

  get closed(): boolean {
    return this.#closed;
  }

  /** The tables are there; looked at until they are, and again after a statement missed one. @throws SchemaError */
  async ready(lane: Lane, ms: number): Promise<void> {
    if (this.#isReady) return;
    await this.#run(lane, (link) => this.prepare(link), { ms, lost: 'repeat', early: true });
    this.#isReady = true;
  }

  /**
   * @throws StoreUnreachableError, StoreRefusedError, StoreFullError, SchemaError, StoreClosedError; a fault of a row, and anything
   *   unforeseen, as the server said it
   */
  async use<T>(lane: Lane, work: (link: OwnLink) => Promise<T>, patience: Patience): Promise<T> {
    if (this.#isReady || patience.early) return this.#run(lane, work, patience);
    const began = performance.now();
    await this.ready(lane, patience.ms);
    return this.#run(lane, work, { ...patience, ms: Math.max(1, patience.ms - (performance.now() - began)) });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#looking);
  }

  async #run<T>(lane: Lane, work: (link: OwnLink) => Promise<T>, patience: Patience): Promise<T> {
    const began = performance.now();
    const giveUpAt = began + patience.ms;
    let conflicts = 0;
    let last: unknown;
    for (let failures = 0; ; failures += 1) {
      if (this.#closed) throw new StoreClosedError(this.names.store);
      let link: OwnLink | undefined;
      try {
        link = await lane.acquire(Math.max(0, giveUpAt - performance.now()));
      } catch (error) {
        if (this.#closed) throw new StoreClosedError(this.names.store);
        last = await this.#judge(error, this.faults.of(error));
      }
      if (link !== undefined) {
        try {
          this.#watch(link, giveUpAt);
          return await work(link);
        } catch (error) {
          // What was on its way when it was closed may have been done.
          if (patience.lost === 'tell' && error instanceof LostLinkError) throw this.#unreachable(error, 'unknown');
          if (this.#closed) throw new StoreClosedError(this.names.store);
          const fault = error instanceof LostLinkError ? 'unavailable' : this.faults.of(error);
          last = await this.#judge(error, fault, link);
          if (fault === 'conflict') {
            if (conflicts++ < CONFLICTS && performance.now() < giveUpAt) {
              await sleep(Math.random() * 5 * 2 ** conflicts);
              failures = -1;
              continue;
            }
            throw new StoreBusyError(this.names.store, performance.now() - began, error);
          }
          if (!link.alive || fault === 'unavailable') link.destroy(error as Error);
        } finally {
          this.#unwatch(link);
          lane.give(link);
        }
      }
      if (this.#closed) throw new StoreClosedError(this.names.store);
      const left = giveUpAt - performance.now();
      if (left <= 0 || patience.signal?.aborted === true) {
        throw this.#unreachable(last ?? new Error(`no connection became free within ${Math.round(patience.ms)} ms`));
      }
      await sleep(Math.min(left, backoffMs(failures, 20, 1_000)));
    }
  }

  /** What waiting mends comes back; everything else is thrown. */
  async #judge(error: unknown, fault: Fault, link?: OwnLink): Promise<unknown> {
    const { connection, store } = this.names;
    switch (fault) {
      case 'unavailable':
      case 'conflict':
        return error;
      case 'refused':
        throw new StoreRefusedError(
          connection,
          store,
          error,
          'Mend the user, the password, the name of the database or the rights.',
        );
      case 'full':
        throw new StoreFullError(connection, error);
      case 'schema':
        if (error instanceof SchemaError) throw error;
        // The look says which table, and what to run.
        this.#isReady = false;
        if (link?.alive) await this.prepare(link);
        throw error;
      default:
        throw error;
    }
  }

  #unreachable(cause: unknown, outcome?: 'unknown'): QueueError {
    const { connection, store } = this.names;
    return new StoreUnreachableError(connection, store, cause, outcome ? { outcome } : undefined);
  }

  #watch(link: OwnLink, until: number): void {
    this.#inUse.set(link, until);
    this.#looking ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  #unwatch(link: OwnLink): void {
    this.#inUse.delete(link);
  }

  /** One timer for all, and none where nothing is under way: most statements take less than a millisecond. */
  #look(): void {
    const now = performance.now();
    if (this.#inUse.size === 0) {
      clearInterval(this.#looking);
      this.#looking = undefined;
    }
    for (const [link, until] of this.#inUse) {
      const since = link.busySince;
      if (since === undefined) continue;
      const limit = Math.min(since + COMMAND_MS, Math.max(until, since + LOOK_EVERY_MS));
      if (now > limit) link.destroy(new Error(`no answer within ${Math.round(now - since)} ms`));
    }
  }
}
