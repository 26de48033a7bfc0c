import { InvalidOptionError } from '../support/queue-error.js';

/** @throws InvalidOptionError always: what was given to `at` cannot leave this process */
export function refuseFunction(at: string): never {
  throw new InvalidOptionError(
    `through() cannot take ${at} with a function or a class in it: it cannot travel with a job. Put it into the job's middleware() or @Middleware(), or give a plain value.`,
  );
}
