import { MemoryLockStore } from '../../../lib/backends/memory/memory-lock-store.js';
import { MemoryRateLimiterStore } from '../../../lib/backends/memory/memory-rate-limiter-store.js';
import type { Batch } from '../../../lib/contracts/batch.js';
import type { JobEnvelope } from '../../../lib/contracts/job-envelope.js';
import type { JobMiddleware } from '../../../lib/contracts/job-middleware.js';
import type { ReservedJob } from '../../../lib/contracts/queue-driver.js';
import { AttemptContext, type Intent, type PolicyServices } from '../../../lib/job/job-context.js';
import { RateLimiter } from '../../../lib/middleware/rate-limiter.js';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';

export const LEASE_MS = 30_000;

/** What came of one run of a handler inside one middleware. */
export interface Ran {
  readonly ran: boolean;
  readonly intent: Intent | undefined;
  readonly thrown: unknown;
  readonly context: AttemptContext;
}

/** Real stores in memory, on a clock that stands still, and attempts on them. */
export class Bench {
  readonly clock = new FakeClock(1_000_000);
  readonly locks = new MemoryLockStore(this.clock);
  readonly limits = new MemoryRateLimiterStore(this.clock);
  readonly warnings: string[] = [];
  readonly reported: unknown[] = [];
  /** Connections that were asked for by name. */
  readonly asked: string[] = [];
  redis: string | undefined = 'cache';
  batch: Partial<Batch> | null = null;
  /** What the stores reject with while it is set. */
  away: Error | undefined;
  readonly limiter = new RateLimiter({
    clock: this.clock,
    warn: (message) => void this.warnings.push(message),
    locks: () => this.#store(this.locks),
    limits: () => this.#store(this.limits),
  });
  #tokens = 0;
  readonly #policies: PolicyServices = {
    clock: this.clock,
    report: (_message, error) => void this.reported.push(error),
    locks: (name) => this.#store(this.locks, name),
    limits: (name) => this.#store(this.limits, name),
    redis: () => {
      if (this.redis === undefined) throw new InvalidOptionError('no redis');
      return this.redis;
    },
    limiter: (name) => this.limiter.named(name),
    leaseMs: () => LEASE_MS,
  };

  attempt(given: Partial<ReservedJob> = {}, envelope: Partial<JobEnvelope> = {}): AttemptContext {
    const id = given.id ?? 'job-1';
    return new AttemptContext(
      'memory',
      {
        queue: 'default',
        body: '',
        priority: 0,
        attempts: 1,
        stalls: 0,
        token: `token-${(this.#tokens += 1)}`,
        leasedUntil: 0,
        ...given,
        id,
      },
      { v: 1, uuid: id, name: 'Send', displayName: 'Send', data: {}, createdAt: 0, ...envelope },
      {
        now: () => this.clock.now(),
        warn: (message) => void this.warnings.push(message),
        findBatch: async () => this.batch as Batch | null,
        policies: this.#policies,
      } as ConstructorParameters<typeof AttemptContext>[3],
    );
  }

  /** Runs a handler inside a middleware, as an attempt of its own unless one is given. */
  async run(
    middleware: JobMiddleware,
    handler: (context: AttemptContext) => unknown = () => undefined,
    context = this.attempt(),
    job: object = {},
  ): Promise<Ran> {
    let ran = false;
    let thrown: unknown;
    try {
      await middleware.handle(
        job,
        async () => {
          ran = true;
          await handler(context);
        },
        context,
      );
    } catch (error) {
      thrown = error;
    }
    return { ran, intent: context.intent, thrown, context };
  }

  async #store<T>(store: T, name?: string): Promise<T> {
    if (this.away) throw this.away;
    if (name !== undefined) this.asked.push(name);
    return store;
  }
}

export const throwing = (error: unknown) => (): never => {
  throw error;
};
