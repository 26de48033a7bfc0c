import type { EventHub } from '../connections/event-hub.js';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import {
  JobAttempted,
  JobFailed,
  JobLeaseLost,
  JobProcessing,
  JobReleased,
  JobReleasedAfterException,
  JobTimedOut,
} from '../contracts/queue-events.js';
import type { Clock } from '../support/clock.js';
import { BoundedLabel } from './bounded-label.js';
import type { MetricSet } from './metric-set.js';

type End = 'failed' | 'released' | 'released after exception' | 'lost';

interface Running {
  readonly labels: { readonly connection: string; readonly queue: string; readonly job: string };
  readonly startedAt: number;
  end?: End;
}

/** Queues may be named at dispatch, as one for each customer; a job's body, and the name in it, comes from the store. */
const MOST_QUEUES = 500;
const UNKNOWN = '(unknown)';

/**
 * Counts what becomes of attempts. How one ended is told by the events before its JobAttempted, which is the last.
 *
 * @param knows whether a job travels under that name here; others are counted under one name
 * @returns what ends it
 */
export function meterJobs(
  hub: Pick<EventHub, 'on'>,
  metrics: MetricSet,
  clock: Clock,
  knows: (name: string) => boolean,
): () => void {
  const running = new WeakMap<JobContext, Running>();
  const queues = new BoundedLabel(MOST_QUEUES);
  const begun = (job: JobContext): Running => ({
    labels: {
      connection: job.connection,
      queue: queues.of(job.queue),
      job: knows(job.name) ? job.name : UNKNOWN,
    },
    startedAt: clock.elapsed(),
  });
  const ends =
    (end: End) =>
    ({ job }: { readonly job: JobContext }): void => {
      const found = running.get(job);
      if (found) found.end ??= end;
    };

  const off = [
    hub.on(JobProcessing, ({ job }) => {
      const one = begun(job);
      running.set(job, one);
      const { connection, queue } = one.labels;
      metrics.inFlight.inc({ connection, queue });
      const waitedMs = waited(job, clock.now());
      if (waitedMs !== undefined) metrics.wait.observe(one.labels, waitedMs / 1_000);
    }),
    hub.on(JobTimedOut, ({ job }) => metrics.timedOut.inc((running.get(job) ?? begun(job)).labels)),
    hub.on(JobFailed, ends('failed')),
    hub.on(JobReleased, ends('released')),
    hub.on(JobReleasedAfterException, ends('released after exception')),
    hub.on(JobLeaseLost, ends('lost')),
    hub.on(JobAttempted, ({ job }) => {
      const one = running.get(job);
      if (!one) return;
      running.delete(job);
      const { labels, startedAt, end } = one;
      metrics.inFlight.dec({ connection: labels.connection, queue: labels.queue });
      metrics.duration.observe(labels, Math.max(0, clock.elapsed() - startedAt) / 1_000);
      if (end === undefined) metrics.processed.inc(labels);
      else if (end === 'failed') metrics.failed.inc(labels);
      else if (end === 'lost') metrics.lost.inc(labels);
      else metrics.released.inc({ ...labels, cause: end === 'released' ? 'release' : 'exception' });
    }),
  ];
  return () => {
    for (const one of off) one();
  };
}

/** For how long a job could have been taken before its first attempt; of a later one, or a retried one, it is not known since when. */
function waited(job: JobContext, now: number): number | undefined {
  const { createdAt, dueAt = createdAt, retried } = job.payload as Partial<JobEnvelope>;
  if (job.attempts !== 1 || retried !== undefined || !Number.isFinite(dueAt)) return undefined;
  return Math.max(0, now - dueAt!);
}
