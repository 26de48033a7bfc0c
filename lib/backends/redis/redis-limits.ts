import type { RateAnswer, RateLimit, RateLimiterStore } from '../../contracts/rate-limiter-store.js';
import { chunks } from '../../support/chunks.js';
import { storable } from '../stored-text.js';
import type { Keyspace } from './keyspace.js';
import { lasting } from './lasting.js';
import type { RedisLink } from './link.js';
import type { Script } from './script.js';
import { limitPeek } from './scripts/limit-peek.js';
import { limitTake } from './scripts/limit-take.js';
import { STORE_PATIENCE } from './store-patience.js';

const CHUNK = 1_000;

/** Fixed windows. All counters of a connection are in one slot, so that several limits are asked and hit in one step. */
export class RedisLimits implements RateLimiterStore {
  readonly #base: string;

  constructor(
    private readonly link: RedisLink,
    keys: Keyspace,
  ) {
    this.#base = keys.own('limits');
  }

  take(limits: readonly RateLimit[]): Promise<RateAnswer> {
    return this.#ask(limitTake, limits, 1);
  }

  peek(limits: readonly RateLimit[]): Promise<RateAnswer> {
    return this.#ask(limitPeek, limits, 0);
  }

  async clear(keys: readonly string[]): Promise<void> {
    for (const some of chunks(keys, CHUNK)) {
      await this.link.send(
        'UNLINK',
        some.map((key) => `${this.#base}:${storable(key)}`),
        STORE_PATIENCE,
      );
    }
  }

  async #ask(script: Script, limits: readonly RateLimit[], hits: number): Promise<RateAnswer> {
    if (limits.length === 0) return { allowed: true, retryAfterMs: 0, remaining: Infinity };
    const args = limits.flatMap(({ key, max, windowMs }) => [storable(key), max, lasting(windowMs)]);
    const reply = (await this.link.run(script, [this.#base], args, STORE_PATIENCE)) as readonly number[];
    const allowed = reply[0] === 1;
    let retryAfterMs = 0;
    let remaining = Infinity;
    for (const [index, { max, windowMs }] of limits.entries()) {
      const left = max - reply[index * 2 + 1]!;
      const endsIn = reply[index * 2 + 2]!;
      remaining = Math.min(remaining, Math.max(0, left));
      // Of a limit without hits there is no window, nor of an endless one an end.
      if (left < 1) retryAfterMs = Math.max(retryAfterMs, endsIn < 0 ? windowMs : Math.max(1, endsIn));
    }
    return { allowed, retryAfterMs, remaining: allowed ? Math.max(0, remaining - hits) : remaining };
  }
}
