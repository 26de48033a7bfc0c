import { JobAttempted, JobProcessing, WorkerStarting } from '../contracts/queue-events.js';
import type { JobContext } from '../contracts/job-context.js';
import type { AttemptContext } from '../job/job-context.js';
import { hasParent, tellParent } from './self-process.js';
import type { Listen } from './work-lines.js';

/** What a worker tells the process that has started it. */
export type WorkReport =
  /** It has reached its store and takes jobs. */
  | { readonly worker: 'working'; readonly queue: string }
  /** There is no such connection, or a queue cannot be called so: another process would fare no better. */
  | { readonly worker: 'misnamed' }
  /** `ownTimeout`: the job says itself how long it may run. */
  | { readonly job: 'started'; readonly id: string; readonly name: string; readonly ownTimeout: boolean }
  | { readonly job: 'ended'; readonly id: string };

/** Tells the parent of this process, where there is one, what its worker does. */
export function reportToParent(listen: Listen): void {
  if (!hasParent()) return;
  const tell = (report: WorkReport): void => tellParent(report);
  listen(WorkerStarting, ({ queue }) => tell({ worker: 'working', queue }));
  // What a job runs inside itself, by dispatchSync(), is a part of that job, and neither begins nor ends it.
  const within = (job: JobContext): boolean => (job as AttemptContext).inProcess;
  listen(JobProcessing, ({ job }) => {
    if (within(job)) return;
    const ownTimeout = (job.payload as { timeout?: number }).timeout !== undefined;
    tell({ job: 'started', id: job.id, name: job.displayName || job.name, ownTimeout });
  });
  listen(JobAttempted, ({ job }) => {
    if (!within(job)) tell({ job: 'ended', id: job.id });
  });
}
