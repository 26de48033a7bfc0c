/** How long claims may start from the mark before one starts from the beginning again. */
const FULL_EVERY_MS = 100;
/** Above every priority: what stands below it is everything. */
const NO_MARK: MarkParams = [Number.MAX_SAFE_INTEGER, 0];

type MarkParams = readonly [priority: number, at: number];

/**
 * Where the first free job of a queue was when it was last claimed from.
 *
 * Until the next vacuum an index keeps what was taken: 200,000 jobs later a claim from the beginning walks over 1,300 pages, 1.4 ms, to
 * find its first row. So under load claims start where the last one did. What commits behind that point, with a moment that has passed,
 * is found by the next claim from the beginning: after 100 ms, or as soon as a claim finds fewer than it asked for. So are leases that
 * ran out.
 */
export class ClaimMark {
  #queue: string | undefined;
  #params: MarkParams = NO_MARK;
  #fullAt = -Infinity;

  /** `undefined`: from the beginning. */
  of(queues: readonly string[]): MarkParams | undefined {
    const fresh = this.#queue === queues[0] && performance.now() - this.#fullAt < FULL_EVERY_MS;
    return fresh ? this.#params : undefined;
  }

  /** @param head the priority and time of the first free row of the first queue */
  found(queues: readonly string[], head: MarkParams | undefined, whole: boolean, wasFull: boolean): void {
    if (wasFull) this.#fullAt = performance.now();
    this.#queue = whole && head ? queues[0] : undefined;
    if (head) this.#params = head;
  }
}

export const fromBeginning = NO_MARK;
