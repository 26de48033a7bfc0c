/** How long claims may start from the mark before one starts from the beginning again. */
const FULL_EVERY_MS = 100;
/** Above every priority: what stands below it is everything. */
const NO_MARK: MarkParams = [Number.MAX_SAFE_INTEGER, 0];

type MarkParams = readonly [priority: number, at: number];
/** A row within a stretch of one priority of one queue. */
export type NearParams = readonly [priority: number, at: number, seq: number];

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
  #near: NearParams | undefined;
  #fullAt = -Infinity;

  /** `undefined`: from the beginning. */
  of(queues: readonly string[]): MarkParams | undefined {
    const fresh = this.#queue === queues[0] && performance.now() - this.#fullAt < FULL_EVERY_MS;
    return fresh ? this.#params : undefined;
  }

  /** Where a claim may go on that looks at nothing but one priority of the first queue: all that the last one found was of it. */
  near(queues: readonly string[]): NearParams | undefined {
    return this.of(queues) === undefined ? undefined : this.#near;
  }

  /**
   * @param head the priority and time of the first free row of the first queue
   * @param near where all that was found is of this priority of this queue
   */
  found(
    queues: readonly string[],
    head: MarkParams | undefined,
    whole: boolean,
    wasFull: boolean,
    near: NearParams | undefined,
  ): void {
    if (wasFull) this.#fullAt = performance.now();
    // With several queues only where the first one filled the claim: behind its mark may be what goes before the second.
    const first = queues.length === 1 || near !== undefined;
    this.#queue = whole && head && first ? queues[0] : undefined;
    this.#near = near;
    if (head) this.#params = head;
  }
}

export const fromBeginning = NO_MARK;
