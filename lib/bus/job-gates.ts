import type { JobLocks } from '../connections/job-locks.js';
import type { PushResult } from '../contracts/queue-driver.js';
import type { Clock } from '../support/clock.js';
import { DebounceGate } from './debounce-gate.js';
import type { OpenTransaction } from './open-transactions.js';
import type { Prepared } from './prepared.js';
import { UniqueGate, type Around } from './unique-gate.js';

/** What a dispatch passes that says something about others of its kind. Others need not come here. */
export class JobGates {
  readonly #unique: UniqueGate;
  readonly #debounce: DebounceGate;

  constructor(locks: JobLocks, clock: Clock, report: (message: string, error: unknown) => void) {
    this.#unique = new UniqueGate(locks, clock, report);
    this.#debounce = new DebounceGate(locks, clock, report);
  }

  /** The dispatch as it is to be sent; `undefined` where a unique lock stopped it. */
  enter(given: Prepared, around?: Around): Promise<Prepared | undefined> {
    const { unique, debounce } = given.policies!;
    if (unique) return this.#unique.enter(given, unique, around);
    return debounce ? this.#debounce.enter(given, debounce) : Promise.resolve(given);
  }

  /** As `enter` for many, each key's in their order. Aligned. */
  async enterAll(
    given: readonly Prepared[],
    around: (one: Prepared) => Around | undefined,
  ): Promise<readonly (Prepared | undefined)[]> {
    const entered: (Prepared | undefined)[] = [...given];
    const byKey = new Map<string, number[]>();
    given.forEach(({ policies }, index) => {
      const key = policies?.unique?.key ?? policies?.debounce?.key;
      if (key !== undefined) byKey.set(key, [...(byKey.get(key) ?? []), index]);
    });
    const failures: unknown[] = [];
    await Promise.all(
      [...byKey.values()].map(async (indexes) => {
        try {
          for (const index of indexes) entered[index] = await this.enter(given[index]!, around(given[index]!));
        } catch (error) {
          failures.push(error);
        }
      }),
    );
    if (failures.length === 0) return entered;
    // Nothing is sent, so nothing stays locked.
    await Promise.all(entered.map(async (one) => one?.claim && this.#unique.dropped(one, one.claim)));
    throw failures[0];
  }

  /**
   * What the store has answered. Never rejects.
   *
   * @param its the transaction that the job is stored within, where it is; `'unknown'` where nobody tells how that ends
   */
  async pushed(
    prepared: Prepared,
    result: PushResult,
    its?: OpenTransaction<Prepared> | 'unknown',
    beside?: OpenTransaction<Prepared>,
  ): Promise<void> {
    const { claim, policies } = prepared;
    if (!result.stored && result.reason !== 'exists') {
      if (claim) await this.#unique.dropped(prepared, claim, result.reason === 'error' ? result.error : undefined);
      return;
    }
    // Of a transaction that nobody tells the end of: its lock has its minute, and no job gives way to it.
    if (its === 'unknown') return;
    // An outbox keeps note of what it wrote by itself.
    if (its && prepared.connection.outbox) return;
    if (its) return its.onCommit({ ...prepared, pushed: 'within' });
    const debounce = policies?.debounce;
    if (beside && debounce && (await this.#debounce.busyBy(prepared, debounce, beside.manager))) {
      return beside.onCommit({ ...prepared, pushed: 'beside' });
    }
    if (claim) this.#unique.over(claim);
    await this.#stored(prepared);
  }

  /** What waited for a commit, as it is to be sent; `undefined` where a lock was lost meanwhile or there is nothing left to send. */
  async committing(prepared: Prepared): Promise<Prepared | 'locked' | 'sent'> {
    const { claim, policies } = prepared;
    if (claim) this.#unique.over(claim);
    if (prepared.pushed || prepared.written) {
      await this.#stored(prepared);
      return 'sent';
    }
    if (claim) return (await this.#unique.committing(prepared, claim)) ?? 'locked';
    return policies?.debounce ? this.#debounce.enter(prepared, policies.debounce) : prepared;
  }

  /** The transaction that it waited for was rolled back. */
  async dropped(prepared: Prepared): Promise<void> {
    if (prepared.pushed === 'beside') await this.#stored(prepared);
    else if (prepared.claim) await this.#unique.dropped(prepared, prepared.claim);
  }

  /** A debounced job that is about to be stored takes the place of those before it. @throws where that cannot be written down */
  async takePlace(prepared: Prepared): Promise<void> {
    const debounce = prepared.policies?.debounce;
    if (debounce) await prepared.connection.inTime(this.#debounce.take(prepared, debounce));
  }

  /** Whether a push that was stopped by a lock may be tried once more. */
  mayRetry({ claim }: Prepared, result: PushResult): Promise<boolean> {
    if (!claim || result.stored || result.reason !== 'locked') return Promise.resolve(false);
    return this.#unique.mayRetry(claim, result.by);
  }

  async #stored(prepared: Prepared): Promise<void> {
    if (prepared.claim) await this.#unique.stored(prepared, prepared.claim);
    if (prepared.policies?.debounce) await this.#debounce.stored(prepared, prepared.policies.debounce);
  }
}
