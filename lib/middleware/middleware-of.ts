import type { JobMiddleware } from '../contracts/job-middleware.js';
import type { JobDefinition } from '../job/job-definition.js';
import type { AttemptScope } from '../job/job-registry.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

const NONE: readonly JobMiddleware[] = [];

/**
 * What wraps a job's handler, outermost first: class decorators, then `middleware()`, then what travelled with
 * the job (`through()`). Injectable ones come from the container.
 *
 * @returns `undefined` where nothing does, so that a job without middleware costs nothing
 * @throws InvalidOptionError when `middleware()` gives something that is no middleware
 */
export function middlewareOf(
  definition: JobDefinition,
  job: object,
  scope: AttemptScope,
  travelled: readonly JobMiddleware[] = NONE,
): readonly JobMiddleware[] | Promise<readonly JobMiddleware[]> | undefined {
  const method = (job as { middleware?: unknown }).middleware;
  const own: unknown = typeof method === 'function' ? (method as () => unknown).call(job) : undefined;
  const declared = definition.middleware;
  if (declared === undefined && (own === undefined || own === null) && travelled.length === 0) return undefined;
  const given: unknown[] = [
    ...(declared ?? []),
    ...(Array.isArray(own) ? (own as unknown[]) : own ? [own] : []),
    ...travelled,
  ];
  if (given.length === 0) return undefined;
  const resolved = given.map((one) =>
    typeof one === 'function' ? scope.middleware(one as never) : asMiddleware(one, definition),
  );
  const waits = resolved.some((one) => one instanceof Promise);
  return waits ? Promise.all(resolved.map((one) => Promise.resolve(one))) : (resolved as JobMiddleware[]);
}

function asMiddleware(value: unknown, definition: JobDefinition): JobMiddleware {
  if (typeof (value as JobMiddleware | null)?.handle === 'function') return value as JobMiddleware;
  throw new InvalidOptionError(
    `${definition.type.name}.middleware() gave ${describe(value)}, which has no handle(job, next, context). Give instances or injectable classes that have one.`,
  );
}
