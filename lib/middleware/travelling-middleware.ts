import type { TravellingMiddleware } from '../job/through.js';
import { FailOnException } from './fail-on-exception.js';
import { RateLimited, RateLimitedWithRedis } from './rate-limited.js';
import { Release } from './release.js';
import { Skip } from './skip.js';
import { SkipIfBatchCancelled } from './skip-if-batch-cancelled.js';
import { ThrottlesExceptions, ThrottlesExceptionsWithRedis } from './throttles-exceptions.js';
import { WithoutOverlapping } from './without-overlapping.js';

/** Middleware of this package by the names under which `through()` sends it. */
export const travellingMiddleware: Readonly<Record<string, TravellingMiddleware>> = {
  RateLimited: { type: RateLimited, read: (json) => RateLimited.fromJSON(json) },
  RateLimitedWithRedis: { type: RateLimitedWithRedis, read: (json) => RateLimitedWithRedis.fromJSON(json) },
  WithoutOverlapping: { type: WithoutOverlapping, read: (json) => WithoutOverlapping.fromJSON(json) },
  ThrottlesExceptions: { type: ThrottlesExceptions, read: (json) => ThrottlesExceptions.fromJSON(json) },
  ThrottlesExceptionsWithRedis: {
    type: ThrottlesExceptionsWithRedis,
    read: (json) => ThrottlesExceptionsWithRedis.fromJSON(json),
  },
  Skip: { type: Skip, read: (json) => Skip.fromJSON(json) },
  SkipIfBatchCancelled: { type: SkipIfBatchCancelled, read: () => SkipIfBatchCancelled.fromJSON() },
  Release: { type: Release, read: (json) => Release.fromJSON(json) },
  FailOnException: { type: FailOnException },
};
