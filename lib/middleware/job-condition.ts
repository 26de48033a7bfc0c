import { describe, InvalidOptionError } from '../support/queue-error.js';
import { refuseFunction } from './travelling.js';

/** Known when the middleware is made, or asked when the job runs. */
export type JobCondition = boolean | ((job: any) => boolean | Promise<boolean>);

/** A condition as it is asked and as it travels, which of the two it was given as. */
export class Condition {
  /** @throws InvalidOptionError for what is neither true, false nor a function */
  constructor(
    private readonly given: JobCondition,
    private readonly negated: boolean,
    /** What it was given to, for errors: `Skip.when()`. */
    private readonly at: string,
  ) {
    if (typeof given !== 'boolean' && typeof given !== 'function') {
      throw new InvalidOptionError(
        `${at} was given ${describe(given)}. Give true or false, or a function of the job that answers so.`,
      );
    }
  }

  async holds(job: unknown): Promise<boolean> {
    const said: unknown = typeof this.given === 'function' ? await this.given(job) : this.given;
    return Boolean(said) !== this.negated;
  }

  /** @throws InvalidOptionError for a function */
  toJSON(): boolean {
    return typeof this.given === 'function' ? refuseFunction(this.at) : this.given !== this.negated;
  }
}
