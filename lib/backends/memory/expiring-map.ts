/** How many entries there may be before the first look for those that ran out. */
const FIRST_SWEEP = 1_024;

/** Values that are forgotten at a moment of their own. What ran out is swept while writing, at a constant cost per write. */
export class ExpiringMap<V> {
  readonly #entries = new Map<string, { readonly value: V; readonly until: number }>();
  #sweepAt = FIRST_SWEEP;

  get(key: string, now: number): V | undefined {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    if (found.until > now) return found.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: V, until: number, now: number): void {
    if (this.#entries.size >= this.#sweepAt) this.#sweep(now);
    this.#entries.set(key, { value, until });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  #sweep(now: number): void {
    for (const [key, { until }] of this.#entries) if (until <= now) this.#entries.delete(key);
    this.#sweepAt = Math.max(FIRST_SWEEP, this.#entries.size * 2);
  }
}
