import type { Dispatchable } from '../contracts/dispatchable.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import type { Moment } from '../support/duration.js';
import { InvalidOptionError } from '../support/queue-error.js';

/** What fluent calls on a job say. They beat everything the class says. */
export interface FluentOptions {
  queue?: string;
  connection?: string;
  /** `null` after `withoutDelay()`: none, whatever the class says. */
  delay?: Moment | null;
  afterCommit?: boolean;
  /** For stores that keep the jobs of a group in order. */
  group?: string;
  /** Gives the text by which a store knows a repeat; it is given the payload. */
  deduplicator?: (payload: string) => string;
  /** Middleware that travels with the job. */
  through?: readonly JobMiddleware[] | undefined;
  /** What follows when the job is done. */
  chain?: readonly Dispatchable[];
  /** What is sent when the job, or a later one of its chain, has failed for good. */
  catch?: readonly Dispatchable[];
}

// Outside the instances: a job's own fields are what travels, and it is revived without its constructor.
const fluent = new WeakMap<object, FluentOptions>();

export function fluentOptions(job: object): FluentOptions | undefined {
  return fluent.get(job);
}

/** The same, to be written to. */
export function ownOptions(job: object): FluentOptions {
  let found = fluent.get(job);
  if (!found) fluent.set(job, (found = {}));
  return found;
}

/** What `catch()` on a job was given; each call adds one. */
export function addCatch(job: object, one: Dispatchable): void {
  const said = ownOptions(job);
  said.catch = [...(said.catch ?? []), one];
}

/** What may stand in a list of jobs for none: `cond && new Job()`. */
export type Empty = false | null | undefined | 0 | '';

/** The jobs of a list, empty entries left out. @throws InvalidOptionError where nothing is left */
export function chained(jobs: readonly (Dispatchable | Empty)[], at: string): readonly Dispatchable[] {
  const kept = Array.isArray(jobs) ? present(jobs) : [];
  if (kept.length > 0) return kept;
  throw new InvalidOptionError(
    `${at} was given no job, or none but false, null and undefined, which are left out. Give it a list of at least one.`,
  );
}

/** One job or a list of them, empty entries left out. */
export function present(jobs: Dispatchable | readonly (Dispatchable | Empty)[]): readonly Dispatchable[] {
  const given = (Array.isArray(jobs) ? jobs : [jobs]) as readonly (Dispatchable | Empty)[];
  return given.filter((one): one is Dispatchable => Boolean(one));
}
