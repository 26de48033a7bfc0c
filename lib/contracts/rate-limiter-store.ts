/** Counts hits in fixed windows; a window starts with its first hit. */
export interface RateLimiterStore {
  /** One hit on every limit, or on none: a refusal burns nothing. One atomic step over all of them. */
  take(limits: readonly RateLimit[]): Promise<RateAnswer>;
  /** The same question without a hit. */
  peek(limits: readonly RateLimit[]): Promise<RateAnswer>;
  clear(keys: readonly string[]): Promise<void>;
}

export interface RateLimit {
  readonly key: string;
  /** Hits a window allows. */
  readonly max: number;
  readonly windowMs: number;
}

export interface RateAnswer {
  readonly allowed: boolean;
  /** Until the last refusing window ends; 0 when allowed. */
  readonly retryAfterMs: number;
  /** Hits left in the tightest window, after this one when it was taken. Never negative. */
  readonly remaining: number;
}
