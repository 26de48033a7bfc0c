import type { EventHub } from '../connections/event-hub.js';
import type { LeaseAbility, PushEntry, ReservedJob } from '../contracts/queue-driver.js';
import { JobQueued, JobQueueing } from '../contracts/queue-events.js';
import type { FollowUp } from './place-follow-up.js';

/** Ids of what was sent to another store before its job was acknowledged are remembered there for so long. */
const REMEMBERED_MS = 86_400_000;

/** Where the job that others follow is. */
export interface FollowedFrom {
  readonly connection: string;
  /** Pushes of its own connection ride on its settlement, in the same write. */
  readonly withSettlement: boolean;
  readonly leases: LeaseAbility | undefined;
  readonly leaseMs: number;
}

/**
 * Sends what has to be sent before the settlement, and gives back what rides on it. A job is sent under the id that it was written with,
 * so that a repeat is a no-op.
 *
 * @returns `'lost'` where the lease is gone: nothing was sent then
 * @throws the error of a store that did not take its jobs
 */
export async function sendFollowUps(
  jobs: readonly FollowUp[],
  reserved: ReservedJob,
  from: FollowedFrom,
): Promise<readonly FollowUp[] | 'lost'> {
  const riding: FollowUp[] = [];
  const first: FollowUp[] = [];
  for (const job of jobs) (from.withSettlement && job.connection.name === from.connection ? riding : first).push(job);
  if (first.length > 0 && !(await holds(reserved, from))) return 'lost';
  for (const job of first) await sendNow(job);
  return riding;
}

/** Renews the lease: a worker that has lost it must not send what someone else will send. */
export async function holds(reserved: ReservedJob, { leases, leaseMs }: FollowedFrom): Promise<boolean> {
  const [held] = (await leases?.renew([reserved], leaseMs)) ?? [];
  if (!held || held.ok) return true;
  if (held.reason !== 'error') return false;
  throw held.error ?? new Error('The lease could not be renewed.');
}

/** Sends a job now, a repeat being a no-op. @throws the error of a store that did not take it */
export async function sendNow({ connection, outgoing, stored }: FollowUp): Promise<void> {
  const { storeless } = await connection.queue();
  if (storeless) {
    // It has run by now, and has told its own failed() and listeners: the job that it follows is done all the same.
    await connection.push([outgoing]).catch(() => {});
    return;
  }
  const entry: PushEntry = { ...outgoing.entry, once: { ttlMs: REMEMBERED_MS } };
  const [result] = await connection.push([{ ...outgoing, entry }]);
  if (result && !result.stored && result.reason === 'error') throw result.error;
  await stored?.();
}

/** Events of those that ride on a settlement. Gives what is to be done once that has been accepted. */
export function raiseQueueing(jobs: readonly FollowUp[], hub: EventHub): (() => Promise<void> | undefined) | undefined {
  for (const { connection, outgoing } of hub.heard(JobQueueing) ? jobs : []) {
    const { job, entry, requestedQueue, delaySeconds } = outgoing;
    hub.emit(new JobQueueing(connection.name, requestedQueue, job, entry.body, delaySeconds));
  }
  const waiting = jobs.filter(({ stored }) => stored);
  if (jobs.length === 0 || (waiting.length === 0 && !hub.heard(JobQueued))) return undefined;
  return () => {
    for (const { connection, outgoing } of jobs) {
      const { job, entry, requestedQueue, delaySeconds } = outgoing;
      hub.emit(new JobQueued(connection.name, requestedQueue, entry.id, job, entry.body, delaySeconds));
    }
    return waiting.length > 0 ? storedAll(waiting) : undefined;
  };
}

async function storedAll(jobs: readonly FollowUp[]): Promise<void> {
  for (const { stored } of jobs) await stored!();
}
