import type { ConnectionManager } from '../connections/connection-manager.js';
import { inspectedJob, type InspectedJob } from '../connections/inspected-job.js';
import type { InspectPage } from '../connections/inspected-job.js';
import { wrong } from '../connections/option-check.js';
import type { JobState, StoredJob } from '../contracts/queue-driver.js';

export const JOB_STATES: readonly JobState[] = ['pending', 'delayed', 'reserved'];

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
  return (await inspectStored(connections, query)).map(inspectedJob);
}

/** The same jobs as the store keeps them: with their times, and their bodies as text. @throws AbilityMissingError */
export async function inspectStored(
  connections: ConnectionManager,
  query: InspectQuery = {},
): Promise<readonly StoredJob[]> {
  const { connection, queue, state = 'pending', ...page } = query;
  const target = connections.get(connection);
  if (!JOB_STATES.includes(state)) throw wrong('state', state, 'Use pending, delayed or reserved.');
  return target.storedJobs(state, queue, page);
}

/** One job by its uuid, in whichever queue of the connection it is; null where there is none. @throws AbilityMissingError */
export async function inspectJob(
  connections: ConnectionManager,
  id: string,
  connection?: string,
): Promise<InspectedJob | null> {
  const stored = await findStored(connections, id, connection);
  return stored ? inspectedJob(stored) : null;
}

/** The same job as the store keeps it. @throws AbilityMissingError */
export async function findStored(
  connections: ConnectionManager,
  id: string,
  connection?: string,
): Promise<StoredJob | undefined> {
  const inspection = await connections.get(connection).inspection();
  return inspection.find(id);
}
