import type { JobGates } from '../bus/job-gates.js';
import type { Prepared } from '../bus/prepare-dispatch.js';
import type { FollowUp } from '../completion/place-follow-up.js';
import { sendingOwner, storedOwner, viaOf, type JobLocks } from '../connections/job-locks.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { AttemptContext } from '../job/job-context.js';

/** A lock that is handed over has this long until its new owner must be known to be stored. */
const HANDING_MS = 60_000;

/**
 * Takes a job that follows another through the gates that a dispatch of its own would pass. Its lock is taken beforehand, for a minute
 * and under its own id, and confirmed by the write that enqueues it: whether the chain goes on is known before its last job is settled,
 * and a worker that is killed between leaves nothing that a repeat cannot take over.
 *
 * @returns `undefined` where another job has the unique lock
 * @throws the error of a store of locks that does not answer: what the job follows is kept, and it is sent later
 */
export async function admitFollowUp(
  job: FollowUp,
  after: AttemptContext | undefined,
  gates: JobGates,
  locks: JobLocks,
): Promise<FollowUp | undefined> {
  const { unique, debounce } = job.envelope;
  if (!unique && !debounce) return job;
  const { connection, outgoing } = job;
  const { id, queue, delayMs } = outgoing.entry;
  const prepared: Prepared = {
    connection,
    outgoing,
    receipt: { id, connection: connection.name, queue },
    afterCommit: false,
    policies: {
      ...(unique && { unique: { ...unique, ttlMs: unique.ttlMs ?? Infinity } }),
      ...(debounce && { debounce: { ...debounce, delayMs } }),
    },
  };
  if (unique && (await handedOver(unique, job, after, locks)) === 'stored') return job;
  const entered = await gates.enter(prepared, { manager: undefined, waits: true, known: false });
  if (!entered) return undefined;
  // A step is older than it looks by its id, so it says that it is there before it is: whoever waits beside it runs as well. One that
  // cannot say so would give way to somebody who has run before it, so it is not sent until it can.
  if (debounce) await gates.takePlace(entered);
  return {
    ...job,
    outgoing: entered.outgoing,
    ...(unique && { stored: () => gates.pushed(entered, { stored: true }) }),
  };
}

/** From a job that is about to give its lock back to the one that follows it under the same key. */
async function handedOver(
  { key, via }: NonNullable<JobEnvelope['unique']>,
  { connection, outgoing }: FollowUp,
  after: AttemptContext | undefined,
  locks: JobLocks,
): Promise<'stored' | undefined> {
  const place = await locks.place(connection.name, via);
  const owner = await place.store.owner(key);
  const { id } = outgoing.entry;
  if (!place.shared && owner === storedOwner(connection.name, id)) return 'stored';
  const before = after?.envelope?.unique;
  if (!after || owner === undefined || before?.key !== key || viaOf(before) !== via) return undefined;
  const own = await locks.place(after.connection, via);
  if (owner === (own.shared ? after.id : storedOwner(after.connection, after.id))) {
    await place.store.replace(key, place.shared ? id : sendingOwner(id), HANDING_MS);
  }
  return undefined;
}
