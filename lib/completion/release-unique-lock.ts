import { viaOf, type JobLocks, type LockPlace } from '../connections/job-locks.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { Effects, ReservedJob } from '../contracts/queue-driver.js';
import type { AfterStep, EndedAttempt } from './after-attempt.js';

type UniqueMark = NonNullable<JobEnvelope['unique']>;

/** What a unique job's lock is told of its end. */
export interface UniqueRelease {
  /** Where lock and queue are one store: the lock goes with the job, in one write. */
  readonly step: AfterStep;
  /**
   * Where they are two: the lock goes behind the job, once the store has accepted its end. The other way round a worker that is killed in
   * between would leave a job that runs again beside the next one; this way it leaves a lock without a job, which the next dispatch
   * finds out and frees.
   */
  readonly accepted: (ended: EndedAttempt, reserved: ReservedJob) => Promise<void> | undefined;
}

/** Gives a unique lock back at every end of its job: done, failed, unreadable, refused unrun. */
export function releaseUniqueLock(
  connection: string,
  locks: JobLocks,
  report: (message: string, error: unknown) => void,
): UniqueRelease {
  const failed = (id: string) => (error: unknown) =>
    report(`The unique lock of job ${id} was not given back; the next dispatch of its kind looks after it`, error);
  return {
    step(ended, reserved) {
      const mark = markOf(ended, reserved);
      if (!mark) return undefined;
      const unlock = ({ shared }: LockPlace): Effects | undefined =>
        shared ? { unlock: [{ key: mark.key, owner: reserved.id }] } : undefined;
      const via = viaOf(mark);
      const place = locks.known(connection, via);
      if (place) return unlock(place);
      return locks.place(connection, via).then(unlock, (error: unknown) => {
        failed(reserved.id)(error);
        return undefined;
      });
    },
    accepted(ended, reserved) {
      const mark = markOf(ended, reserved);
      const place = mark && locks.known(connection, viaOf(mark));
      if (!place || place.shared) return undefined;
      return locks.release(place, mark.key, connection, reserved.id).catch(failed(reserved.id));
    },
  };
}

function markOf({ context: { envelope }, outcome }: EndedAttempt, reserved: ReservedJob): UniqueMark | undefined {
  if (outcome.kind === 'retry') return undefined;
  return envelope ? envelope.unique : markIn(reserved.body);
}

/** A job whose body is refused has a lock too. Whatever the body says, only a lock that this very job owns is given back. */
function markIn(body: string): UniqueMark | undefined {
  if (!body.includes('"unique"')) return undefined;
  try {
    const { unique } = JSON.parse(body) as { unique?: Partial<UniqueMark> };
    return typeof unique?.key === 'string' ? (unique as UniqueMark) : undefined;
  } catch {
    return undefined;
  }
}
