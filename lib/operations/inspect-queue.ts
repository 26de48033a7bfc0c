import type { ConnectionManager } from '../connections/connection-manager.js';
import { inspectedJob, type InspectedJob } from '../connections/inspected-job.js';
import type { InspectPage } from '../connections/inspected-job.js';
import { wrong } from '../connections/option-check.js';
import type { JobState } from '../contracts/queue-driver.js';

export interface InspectQuery extends InspectPage {
  /** Default: the default connection. */
  readonly connection?: string;
  /** Default: the connection's own. */
  readonly queue?: string;
  /** Default 'pending'. */
  readonly state?: JobState;
}

/** A page of a queue's jobs, in the order in which they will be taken. @throws AbilityMissingError where the store cannot be looked into */
export async function inspectQueue(connections: ConnectionManager, query: InspectQuery = {}): Promise<InspectedJob[]> {
  const { connection, queue, state = 'pending', ...page } = query;
  const target = connections.get(connection);
  if (state === 'pending') return target.pendingJobs(queue, page);
  if (state === 'delayed') return target.delayedJobs(queue, page);
  if (state === 'reserved') return target.reservedJobs(queue, page);
  throw wrong('state', state, 'Use pending, delayed or reserved.');
}

/** One job by its uuid, in whichever queue of the connection it is; null where there is none. @throws AbilityMissingError */
export async function inspectJob(
  connections: ConnectionManager,
  id: string,
  connection?: string,
): Promise<InspectedJob | null> {
  const inspection = await connections.get(connection).inspection();
  const stored = await inspection.find(id);
  return stored ? inspectedJob(stored) : null;
}
