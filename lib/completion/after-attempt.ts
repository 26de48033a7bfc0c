import type { Outcome } from '../contracts/outcome.js';
import type { Effects, ReservedJob } from '../contracts/queue-driver.js';
import type { AttemptContext } from '../job/job-context.js';

/** An attempt that has ended, as what follows it sees it. */
export interface EndedAttempt {
  readonly context: AttemptContext;
  readonly outcome: Outcome;
}

/**
 * One thing that follows an attempt: what is to ride on its settlement. At once where nothing has to be asked or sent before it;
 * `'lost'` where the lease turned out to be gone. Rejects when a store that has to be told first does not answer: the job then stays.
 */
export type AfterStep = (
  ended: EndedAttempt,
  reserved: ReservedJob,
) => Effects | undefined | Promise<Effects | 'lost' | undefined>;

/** All steps as one, in their order. Nothing is awaited, and nothing made, where no step has anything to say. */
export function afterAttempt(steps: readonly AfterStep[]): AfterStep {
  return (ended, reserved) => {
    if (ended.context.superseded) return undefined;
    let all: Effects | undefined;
    for (let at = 0; at < steps.length; at += 1) {
      const one = steps[at]!(ended, reserved);
      if (one instanceof Promise) return awaited(all, one, steps.slice(at + 1), ended, reserved);
      if (one) all = all ? merged(all, one) : one;
    }
    return all;
  };
}

async function awaited(
  before: Effects | undefined,
  pending: Promise<Effects | 'lost' | undefined>,
  rest: readonly AfterStep[],
  ended: EndedAttempt,
  reserved: ReservedJob,
): Promise<Effects | 'lost' | undefined> {
  let all = before;
  const add = (one: Effects | 'lost' | undefined): boolean => {
    if (one === 'lost') return false;
    if (one) all = all ? merged(all, one) : one;
    return true;
  };
  if (!add(await pending)) return 'lost';
  for (const step of rest) if (!add(await step(ended, reserved))) return 'lost';
  return all;
}

function merged(one: Effects, other: Effects): Effects {
  const push = [...(one.push ?? []), ...(other.push ?? [])];
  const unlock = [...(one.unlock ?? []), ...(other.unlock ?? [])];
  return {
    ...one,
    ...other,
    ...(push.length > 0 && { push }),
    ...(unlock.length > 0 && { unlock }),
  };
}
