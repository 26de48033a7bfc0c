import { deferred, type Deferred } from './deferred.js';

/** Kept from the start: a test may replace the global one. */
const { setImmediate } = globalThis;

/**
 * Gathers what is asked for within one turn of the event loop into one call. Nothing is held back by a timer: the call is made as
 * soon as the current turn's microtasks have run.
 */
export class Gatherer<I, O> {
  #items: I[] = [];
  #waiting: Deferred<O>[] = [];

  /**
   * @param flush answers for every item, aligned by index
   * @param later when the call is made; `queueMicrotask` gathers only what is asked for before anything else runs
   */
  constructor(
    private readonly flush: (items: readonly I[]) => Promise<readonly O[]>,
    private readonly later: (run: () => void) => void = (run) => void setImmediate(run),
  ) {}

  add(item: I): Promise<O> {
    const answer = deferred<O>();
    if (this.#items.push(item) === 1) this.later(() => void this.#run());
    this.#waiting.push(answer);
    return answer.promise;
  }

  async #run(): Promise<void> {
    const items = this.#items;
    const waiting = this.#waiting;
    this.#items = [];
    this.#waiting = [];
    try {
      const answers = await this.flush(items);
      waiting.forEach((one, index) => one.resolve(answers[index]!));
    } catch (error) {
      for (const one of waiting) one.reject(error);
    }
  }
}
