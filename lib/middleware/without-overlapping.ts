import type { JobContext } from '../contracts/job-context.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import type { LockStore } from '../contracts/lock-store.js';
import { delayMs, durationMs, type Duration, type Moment } from '../support/duration.js';
import { errorLine } from '../support/error-text.js';
import { describe, InvalidOptionError, QueueError } from '../support/queue-error.js';
import { askStore } from './ask-store.js';
import { attemptOf, type Attempt } from './attempt-of.js';
import { keepLock } from './kept-lock.js';

/** Why a job's signal aborts when the lock that keeps others from running beside it is gone. */
export class OverlapLockLostError extends QueueError {
  constructor(displayName: string) {
    super(
      'ERR_QUEUE_OVERLAP_LOCK_LOST',
      `${displayName} has lost the lock that keeps others from running beside it: another one may run by now.`,
    );
  }
}

/** How long a job waits that finds the lock with an attempt of its own that ended with its worker. */
const OWN_REMAINS_MS = 1_000;

/**
 * Lets one job of a key run at a time; by default the key is the class. Others are released, at once unless `releaseAfter()` says
 * otherwise, and each release counts as an attempt: give the job enough `tries`, or a `retryUntil()`.
 *
 * The lock lasts as long as the connection's lease (`retryAfter`) and is renewed while the job runs, so it never outlives a dead worker
 * by more. Where it is lost the job's `signal` aborts with an `OverlapLockLostError`.
 */
export class WithoutOverlapping implements JobMiddleware {
  readonly #key: string;
  /** `undefined`: a job that may not run ends as done. */
  #releaseAfterMs: number | undefined = 0;
  #expiresMs: number | undefined;
  #expiresAt: Date | undefined;
  #shared = false;
  #prefix = 'queue-overlap:';

  /** @param key within the class: an id, say. Default: none, all jobs of the class. */
  constructor(...key: [key?: string | number]) {
    const [given = ''] = key;
    // An id that is missing by mistake would lock the whole class.
    if ((key.length > 0 && key[0] === undefined) || !isKey(given)) {
      throw new InvalidOptionError(
        `WithoutOverlapping was given ${describe(key[0])}. Give it a text or a number, or nothing to keep all jobs of the class apart.`,
      );
    }
    this.#key = String(given);
  }

  /** How long a job that may not run waits. Default 0. */
  releaseAfter(delay: Duration): this {
    this.#releaseAfterMs = durationMs(delay, 'WithoutOverlapping.releaseAfter()');
    return this;
  }

  /** A job that may not run ends as done instead, without having run. */
  dontRelease(): this {
    this.#releaseAfterMs = undefined;
    return this;
  }

  /** The lock ends then, also while the job runs; it is not renewed. Default, and with 0: with the lease, renewed. */
  expireAfter(ttl: Moment): this {
    const ms = delayMs(ttl, 'WithoutOverlapping.expireAfter()', Date.now());
    this.#expiresAt = ttl instanceof Date ? ttl : undefined;
    this.#expiresMs = ttl instanceof Date || ms === 0 ? undefined : ms;
    return this;
  }

  /** One lock for all classes that use the key. */
  shared(): this {
    this.#shared = true;
    return this;
  }

  /** Takes the place of `queue-overlap:` in the lock's name. */
  withPrefix(prefix: string): this {
    if (typeof prefix !== 'string') {
      throw new InvalidOptionError(`WithoutOverlapping.withPrefix() was given ${describe(prefix)}. Give a text.`);
    }
    this.#prefix = prefix;
    return this;
  }

  /** Whether a job that may not run loses an attempt by it. */
  get releases(): boolean {
    return this.#releaseAfterMs !== undefined;
  }

  async handle(_job: any, next: () => Promise<void>, context: JobContext): Promise<void> {
    const attempt = attemptOf(context, 'WithoutOverlapping');
    const { policies } = attempt;
    const { id, displayName, reserved } = attempt.context;
    const key = this.#lockKey(displayName);
    // Never the id alone: an attempt that has lost its lease must not free the lock of the one after it. The same for every middleware
    // of the attempt: two that ask for one lock do not wait for each other.
    const owner = `${id}:${reserved.token}`;
    const fixed = this.#fixedMs(policies.clock.now());
    const ttlMs = fixed ?? policies.leaseMs(attempt.context.connection);
    const since = policies.clock.elapsed();
    let store: LockStore | undefined;
    const asked = await askStore(attempt.context, 'its overlap lock', async () => {
      store = await policies.locks();
      if (await store.acquire(key, owner, ttlMs)) return 'got';
      const holder = await store.owner(key);
      return holder !== undefined && holder.startsWith(`${id}:`) ? 'own' : 'taken';
    });
    if (!asked) {
      // The answer may be lost and not the lock.
      void store?.release(key, owner).catch(() => undefined);
      return;
    }
    if (asked.answer === 'got')
      return this.#run(next, attempt, store!, { key, owner, ttlMs }, since, fixed === undefined);
    if (asked.answer === 'own') attempt.context.postpone(OWN_REMAINS_MS);
    else if (this.#releaseAfterMs !== undefined) attempt.context.release(this.#releaseAfterMs / 1_000);
  }

  async #run(
    next: () => Promise<void>,
    { context, policies }: Attempt,
    store: LockStore,
    lock: { key: string; owner: string; ttlMs: number },
    since: number,
    renewed: boolean,
  ): Promise<void> {
    const lost = (): void => context.abort(new OverlapLockLostError(context.displayName));
    const trouble = (error: unknown): void =>
      context.warnOfClass(`its overlap lock could not be extended; trying again: ${errorLine(error)}`);
    const stop = renewed ? keepLock({ ...lock, store, since, lost, trouble }, policies.clock) : undefined;
    try {
      await next();
    } finally {
      stop?.();
      // The job has come to its end whatever becomes of the lock, which ends by itself.
      await store.release(lock.key, lock.owner).catch((error: unknown) => {
        context.warnOfClass(
          `its overlap lock could not be released and lasts for up to ${lock.ttlMs / 1_000} s: ${errorLine(error)}`,
        );
      });
    }
  }

  #fixedMs(now: number): number | undefined {
    const untilDate = this.#expiresAt ? this.#expiresAt.getTime() - now : 0;
    return untilDate > 0 ? untilDate : this.#expiresMs;
  }

  /** No class is called '', so a shared key is never that of a class. */
  #lockKey(displayName: string): string {
    const name = this.#shared ? '' : displayName.replace(/[%:]/g, (sign) => (sign === '%' ? '%25' : '%3A'));
    return `${this.#prefix}${name}:${this.#key}`;
  }

  /** As it travels with a job. */
  toJSON(): object {
    return {
      key: this.#key,
      releaseAfterMs: this.#releaseAfterMs ?? null,
      expiresMs: this.#expiresMs ?? null,
      expiresAt: this.#expiresAt?.getTime() ?? null,
      shared: this.#shared,
      prefix: this.#prefix,
    };
  }

  static fromJSON(json: Readonly<Record<string, unknown>>): WithoutOverlapping {
    const { key, releaseAfterMs, expiresMs, expiresAt, shared, prefix } = json;
    const made = new this(key as string).withPrefix(prefix as string);
    if (releaseAfterMs === null) made.dontRelease();
    else made.releaseAfter(`${Number(releaseAfterMs)}ms`);
    if (expiresMs !== null) made.expireAfter(`${Number(expiresMs)}ms`);
    if (expiresAt !== null) made.expireAfter(new Date(expiresAt as number));
    return shared === true ? made.shared() : made;
  }
}

function isKey(key: unknown): boolean {
  return typeof key === 'string' || (typeof key === 'number' && Number.isFinite(key));
}
