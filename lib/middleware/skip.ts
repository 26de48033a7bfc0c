import type { JobContext } from '../contracts/job-context.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import { Condition, type JobCondition } from './job-condition.js';

/** Ends a job as done without running it. */
export class Skip implements JobMiddleware {
  private constructor(private readonly condition: Condition) {}

  /** @param condition true or false, or asked of the job when it runs */
  static when(condition: JobCondition): Skip {
    return new Skip(new Condition(condition, false, 'Skip.when()'));
  }

  static unless(condition: JobCondition): Skip {
    return new Skip(new Condition(condition, true, 'Skip.unless()'));
  }

  async handle(job: any, next: () => Promise<void>, _context: JobContext): Promise<void> {
    if (!(await this.condition.holds(job))) await next();
  }

  /** As it travels with a job. @throws InvalidOptionError where it was given a function */
  toJSON(): object {
    return { skips: this.condition.toJSON() };
  }

  static fromJSON({ skips }: Readonly<Record<string, unknown>>): Skip {
    return Skip.when(skips as boolean);
  }
}
