/** How often it is looked whether the end of a transaction has come, and for how long. */
const LOOK_MS = 200;
const LOOKS = 300;

/**
 * Looks after transactions whose COMMIT or ROLLBACK is under way. A connection that is lost meanwhile says nothing to those who listen:
 * its QueryRunner is given back, and the transaction has never ended. Only those are looked after that something waits for.
 */
export class LostEnds {
  readonly #looking = new Map<object, NodeJS.Timeout>();

  /**
   * @param isOpen whether the end has not come yet
   * @param isGone whether the connection has been given back
   * @param lost called once, where it has, and before the end came
   */
  watch(runner: object, isOpen: () => boolean, isGone: () => boolean, lost: () => void): void {
    // Of a COMMIT that failed and the ROLLBACK behind it the first counts.
    if (this.#looking.has(runner)) return;
    let looks = 0;
    const end = (): void => {
      clearInterval(timer);
      this.#looking.delete(runner);
    };
    const timer = setInterval(() => {
      looks += 1;
      const open = isOpen();
      if (open && !isGone() && looks < LOOKS) return;
      end();
      if (open && isGone()) lost();
    }, LOOK_MS);
    timer.unref();
    this.#looking.set(runner, timer);
  }

  /** The end has come. */
  ended(runner: object): void {
    clearInterval(this.#looking.get(runner));
    this.#looking.delete(runner);
  }

  close(): void {
    for (const timer of this.#looking.values()) clearInterval(timer);
    this.#looking.clear();
  }
}
