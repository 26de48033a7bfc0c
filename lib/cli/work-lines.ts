import type { JobContext } from '../contracts/job-context.js';
import {
  JobAttempted,
  JobExceptionOccurred,
  JobFailed,
  JobLeaseLost,
  JobProcessing,
  JobReleased,
  JobReleasedAfterException,
  WorkerQueuePaused,
  WorkerQueueResumed,
  type QueueEventType,
} from '../contracts/queue-events.js';
import { WorkerStoppingError } from '../worker/worker-errors.js';

export type LineStatus =
  | 'starting'
  | 'success'
  /** Handed back, since the worker had to end. */
  | 'released'
  | 'released_after_exception'
  | 'failed'
  | 'lease_lost'
  | 'paused'
  | 'resumed';

/** One thing that a worker has to tell: of a job, or of a queue. */
export interface WorkLine {
  readonly status: LineStatus;
  readonly connection: string;
  readonly queue: string;
  readonly job?: Pick<JobContext, 'id' | 'name' | 'displayName' | 'attempts'>;
  readonly result?: 'deleted' | 'released' | 'failed';
  readonly error?: unknown;
  /** Milliseconds that the attempt took. */
  readonly ms?: number;
}

export type Listen = <E>(event: QueueEventType<E>, listener: (event: E) => void) => () => void;

interface Attempt {
  readonly startedAt: number;
  status: LineStatus;
  result: WorkLine['result'];
  error: unknown;
}

/**
 * Turns the events of a worker into lines: one when an attempt begins, one when it has ended. How it ended is told by the events
 * between the two, whose order differs from one outcome to the next. Returns what ends it.
 */
export function workLines(listen: Listen, print: (line: WorkLine) => void, now = () => performance.now()): () => void {
  const running = new Map<string, Attempt>();
  const ended = (event: JobEvent, attempt: Attempt | undefined, status: LineStatus, error?: unknown): void =>
    print({
      ...of(event),
      status: attempt?.status ?? status,
      result: attempt ? attempt.result : status === 'failed' ? 'failed' : undefined,
      error: attempt ? attempt.error : error,
      ms: attempt ? now() - attempt.startedAt : undefined,
    });
  const note = (event: JobEvent, what: Partial<Attempt>): void => {
    const attempt = running.get(keyOf(event));
    if (attempt) Object.assign(attempt, what);
  };

  const offs = [
    listen(JobProcessing, (event) => {
      running.set(keyOf(event), { startedAt: now(), status: 'success', result: 'deleted', error: undefined });
      print({ ...of(event), status: 'starting' });
    }),
    listen(JobReleased, (event) => note(event, { result: 'released' })),
    listen(JobExceptionOccurred, (event) => note(event, { error: event.error })),
    listen(JobReleasedAfterException, (event) =>
      note(event, { status: 'released_after_exception', result: 'released', error: event.error }),
    ),
    listen(JobFailed, (event) => {
      if (running.has(keyOf(event))) note(event, { status: 'failed', result: 'failed', error: event.error });
      // Failed before it could be started, for one because its body cannot be read.
      else ended(event, undefined, 'failed', event.error);
    }),
    listen(JobLeaseLost, (event) => note(event, { status: 'lease_lost', result: undefined })),
    listen(JobAttempted, (event) => {
      const attempt = running.get(keyOf(event));
      running.delete(keyOf(event));
      if (!attempt) return;
      const handedBack = event.error instanceof WorkerStoppingError && attempt.result === 'released';
      ended(event, handedBack ? { ...attempt, status: 'released' } : attempt, attempt.status);
    }),
    listen(WorkerQueuePaused, (event) => print({ ...queueOf(event), status: 'paused' })),
    listen(WorkerQueueResumed, (event) => print({ ...queueOf(event), status: 'resumed' })),
  ];
  return () => offs.forEach((off) => off());
}

interface JobEvent {
  readonly connectionName: string;
  readonly job: JobContext;
}

function keyOf(event: JobEvent): string {
  return `${event.connectionName}\n${event.job.id}`;
}

function of(event: JobEvent): Pick<WorkLine, 'connection' | 'queue' | 'job'> {
  return { connection: event.connectionName, queue: event.job.queue, job: event.job };
}

function queueOf(event: { connectionName: string; queue: string }): Pick<WorkLine, 'connection' | 'queue'> {
  return { connection: event.connectionName, queue: event.queue };
}
