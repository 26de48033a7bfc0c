import type { DispatchOnce } from '../bus/dispatch-once.js';
import type { JobDefinition } from '../job/job-definition.js';
import { lockKey } from '../job/lock-key.js';
import type { ScheduleOptions } from '../job/job.decorators.js';
import { InvalidOptionError } from '../support/queue-error.js';
import { namedUuid } from '../support/named-uuid.js';
import type { Schedule } from './schedules.js';
import { LATEST_MS } from './ticker.js';

/** So long a store knows that a tick was dispatched: longer than any process comes late to it. */
const KNOWN_MS = 2 * LATEST_MS;

/** Sends a job under an id of its own choosing; a repeat is a no-op. */
export type SendOnce = (job: object, once: DispatchOnce) => Promise<unknown>;

/**
 * The schedule of a job class: at each tick one job, under an id that is named after the class and the planned moment. However many
 * processes dispatch it, the store takes it once.
 *
 * @throws InvalidOptionError for a class whose own lock ends too early
 */
export function scheduledJob(
  definition: JobDefinition,
  { cron, options }: { readonly cron: string; readonly options: ScheduleOptions },
  send: SendOnce,
): Schedule {
  const { type, name } = definition;
  const { timeZone, withoutOverlapping = false } = options;
  // The lock of a class that is unique to the end keeps its jobs apart already, and a job has one lock.
  const apart = withoutOverlapping && !definition.unique;
  if (withoutOverlapping && definition.unique?.until === 'start') {
    throw new InvalidOptionError(
      `@ScheduledJob on ${type.name} says withoutOverlapping, and @UniqueUntilProcessing gives the lock back before the job has ended: a job has one lock. Take one of the two off, or make it @Unique().`,
    );
  }
  return {
    at: `@ScheduledJob on ${type.name}`,
    cron,
    ...(timeZone !== undefined && { timeZone }),
    run: async (plannedAt) => {
      const job = new type(...(options.arguments?.() ?? [])) as object;
      await send(job, {
        id: namedUuid(`schedule:${name}`, new Date(plannedAt).toISOString()),
        ttlMs: KNOWN_MS,
        ...(apart && { lockKey: lockKey('unique', `schedule:${name}`, undefined) }),
      });
    },
  };
}
