import { JobAttempted, JobProcessing, WorkerStarting } from '../contracts/queue-events.js';
import { hasParent, tellParent } from './self-process.js';
import type { Listen } from './work-lines.js';

/** What a worker tells the process that has started it. */
export type WorkReport =
  /** It has reached its store and takes jobs. */
  | { readonly worker: 'working'; readonly queue: string }
  /** `ownTimeout`: the job says itself how long it may run. */
  | { readonly job: 'started'; readonly id: string; readonly name: string; readonly ownTimeout: boolean }
  | { readonly job: 'ended'; readonly id: string };

/** Tells the parent of this process, where there is one, what its worker does. */
export function reportToParent(listen: Listen): void {
  if (!hasParent()) return;
  const tell = (report: WorkReport): void => tellParent(report);
  listen(WorkerStarting, ({ queue }) => tell({ worker: 'working', queue }));
  listen(JobProcessing, ({ job }) => {
    const ownTimeout = (job.payload as { timeout?: number }).timeout !== undefined;
    tell({ job: 'started', id: job.id, name: job.displayName || job.name, ownTimeout });
  });
  listen(JobAttempted, ({ job }) => tell({ job: 'ended', id: job.id }));
}
