import type { JobDefinition } from '../job/job-definition.js';
import { RateLimited } from './rate-limited.js';
import { WithoutOverlapping } from './without-overlapping.js';

const FEW = 3;

/**
 * Whether a job may use up its tries by being released unrun: each release counts as an attempt. What only an instance or `middleware()`
 * tells is not looked at.
 */
export function releasedWithFewTries({ middleware = [], tries = 1, type }: JobDefinition): boolean {
  const releases = middleware.some(
    (one) => (one instanceof RateLimited || one instanceof WithoutOverlapping) && one.releases,
  );
  return releases && tries > 0 && tries < FEW && !saysItself(type);
}

/** By a field or a method, which is known with an instance only. */
function saysItself(type: Function): boolean {
  for (let one = type; one !== Function.prototype; one = Object.getPrototypeOf(one) as Function) {
    if (/\b(tries|retryUntil)\b/.test(Function.prototype.toString.call(one))) return true;
  }
  return false;
}
