import type { Output } from './output.js';
import { progressBar } from './progress-bar.js';

/** What is over sooner needs no bar. */
const FIRST_MS = 300;
const EVERY_MS = 100;

/** A bar below what has been printed, while something long is under way: `██████░░░░░░  50%  60/120`. Only on a terminal. */
export class Progress {
  #nextAt: number;

  constructor(
    private readonly output: Output,
    private readonly now = () => performance.now(),
  ) {
    this.#nextAt = now() + FIRST_MS;
  }

  readonly at = (done: number, total: number): void => {
    const now = this.now();
    if (!this.output.showsProgress || now < this.#nextAt) return;
    this.#nextAt = now + EVERY_MS;
    const bar = progressBar(this.output, Math.floor((100 * done) / total));
    this.output.passing(`${this.output.paint('green', bar)}  ${done}/${total}`);
  };

  end(): void {
    this.output.passing('');
  }
}
