import type { JobContext } from '../contracts/job-context.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import { durationMs, type Duration } from '../support/duration.js';
import { Condition, type JobCondition } from './job-condition.js';

/** Releases a job instead of running it. A release counts as an attempt. */
export class Release implements JobMiddleware {
  private constructor(
    private readonly condition: Condition,
    private readonly delayMs: number,
  ) {}

  /**
   * @param condition true or false, or asked of the job when it runs
   * @param delay default 0
   */
  static when(condition: JobCondition, delay: Duration = 0): Release {
    return new Release(new Condition(condition, false, 'Release.when()'), durationMs(delay, 'Release.when(): delay'));
  }

  static unless(condition: JobCondition, delay: Duration = 0): Release {
    const at = 'Release.unless()';
    return new Release(new Condition(condition, true, at), durationMs(delay, `${at}: delay`));
  }

  async handle(job: any, next: () => Promise<void>, context: JobContext): Promise<void> {
    if (await this.condition.holds(job)) context.release(this.delayMs / 1_000);
    else await next();
  }

  /** As it travels with a job. @throws InvalidOptionError where it was given a function */
  toJSON(): object {
    return { releases: this.condition.toJSON(), delayMs: this.delayMs };
  }

  static fromJSON({ releases, delayMs }: Readonly<Record<string, unknown>>): Release {
    return Release.when(releases as boolean, `${Number(delayMs)}ms`);
  }
}
