/** What stands for the values beyond the limit. */
export const OTHER = '(other)';

/** Values of a label that come from outside: each new one is a series that is never given back, so there are only so many. */
export class BoundedLabel {
  readonly #known = new Set<string>();

  constructor(private readonly most: number) {}

  of(value: string): string {
    if (this.#known.has(value)) return value;
    if (this.#known.size >= this.most) return OTHER;
    this.#known.add(value);
    return value;
  }
}
