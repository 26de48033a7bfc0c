import type { RateAnswer, RateLimit } from '../../contracts/rate-limiter-store.js';

export interface RateWindow {
  readonly hits: number;
  /** Epoch ms. */
  readonly endsAt: number;
}

/** One question over all limits. `taken` is absent when it is refused: then nothing is to be written. */
export function askLimits(
  limits: readonly RateLimit[],
  windowOf: (key: string) => RateWindow | undefined,
  now: number,
): {
  readonly answer: RateAnswer;
  readonly taken?: { readonly answer: RateAnswer; readonly windows: ReadonlyMap<string, RateWindow> };
} {
  const windows = new Map<string, RateWindow>();
  let remaining = Infinity;
  let retryAfterMs = 0;
  let allowed = true;
  for (const { key, max, windowMs } of limits) {
    let window = windows.get(key) ?? windowOf(key);
    if (window === undefined || window.endsAt <= now) window = { hits: 0, endsAt: now + windowMs };
    if (window.hits >= max) {
      allowed = false;
      retryAfterMs = Math.max(retryAfterMs, window.endsAt - now);
    }
    remaining = Math.min(remaining, max - window.hits);
    windows.set(key, { hits: window.hits + 1, endsAt: window.endsAt });
  }
  if (!allowed) return { answer: { allowed, retryAfterMs, remaining: 0 } };
  const left = Math.min(...limits.map(({ key, max }) => max - windows.get(key)!.hits));
  return {
    answer: { allowed, retryAfterMs: 0, remaining },
    taken: { answer: { allowed, retryAfterMs: 0, remaining: left }, windows },
  };
}
