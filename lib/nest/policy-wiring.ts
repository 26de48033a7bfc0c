import type { ConnectionManager } from '../connections/connection-manager.js';
import type { PolicyServices } from '../job/job-context.js';
import { letTravel } from '../job/through.js';
import { RateLimiter } from '../middleware/rate-limiter.js';
import { travellingMiddleware } from '../middleware/travelling-middleware.js';
import type { Clock } from '../support/clock.js';
import { InvalidOptionError } from '../support/queue-error.js';

/** The named limiters of a module, and what its middleware works with. Nothing is opened before it is asked for. */
export function wirePolicies(
  connections: () => ConnectionManager,
  clock: Clock,
  { report, warn }: Pick<PolicyServices, 'report'> & { readonly warn: (message: string) => void },
): { readonly rateLimiter: RateLimiter; readonly policies: PolicyServices } {
  const locks: PolicyServices['locks'] = (connection) => connections().locks(connection);
  const limits: PolicyServices['limits'] = (connection) => connections().limits(connection);
  const rateLimiter = new RateLimiter({ clock, warn, locks, limits });
  letTravel(travellingMiddleware);
  const policies: PolicyServices = {
    clock,
    report,
    locks,
    limits,
    redis: () => firstRedis(connections()),
    limiter: (name) => rateLimiter.named(name),
    leaseMs: (connection) => connections().get(connection).leaseMs,
  };
  return { rateLimiter, policies };
}

/** For middleware that wants Redis without saying which. @throws InvalidOptionError where there is none */
function firstRedis(connections: ConnectionManager): string {
  const name = connections.names().find((one) => connections.get(one).driver === 'redis');
  if (name !== undefined) return name;
  throw new InvalidOptionError(
    "A middleware …WithRedis found no connection with the driver redis. Add one to QueueModule's connections, or use the middleware without WithRedis: it counts on the module's own store.",
  );
}
