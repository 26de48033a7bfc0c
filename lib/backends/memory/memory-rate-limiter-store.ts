import type { RateAnswer, RateLimit, RateLimiterStore } from '../../contracts/rate-limiter-store.js';
import type { Clock } from '../../support/clock.js';
import { ExpiringMap } from './expiring-map.js';

interface Window {
  readonly endsAt: number;
  hits: number;
}

/** Fixed windows in this process. */
export class MemoryRateLimiterStore implements RateLimiterStore {
  readonly #windows = new ExpiringMap<Window>();

  constructor(private readonly clock: Clock) {}

  async take(limits: readonly RateLimit[]): Promise<RateAnswer> {
    const answer = this.#ask(limits);
    if (!answer.allowed) return answer;
    const now = this.clock.now();
    for (const limit of limits) this.#hit(limit, now);
    return { ...answer, remaining: Math.max(0, answer.remaining - 1) };
  }

  async peek(limits: readonly RateLimit[]): Promise<RateAnswer> {
    return this.#ask(limits);
  }

  async clear(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#windows.delete(key);
  }

  #ask(limits: readonly RateLimit[]): RateAnswer {
    const now = this.clock.now();
    let retryAfterMs = 0;
    let remaining = Infinity;
    let allowed = true;
    for (const { key, max, windowMs } of limits) {
      const window = this.#windows.get(key, now);
      const left = max - (window?.hits ?? 0);
      remaining = Math.min(remaining, Math.max(0, left));
      if (left >= 1) continue;
      allowed = false;
      retryAfterMs = Math.max(retryAfterMs, window ? window.endsAt - now : windowMs);
    }
    return { allowed, retryAfterMs, remaining };
  }

  #hit({ key, windowMs }: RateLimit, now: number): void {
    const window = this.#windows.get(key, now);
    if (window) window.hits++;
    else this.#windows.set(key, { endsAt: now + windowMs, hits: 1 }, now + windowMs, now);
  }
}
