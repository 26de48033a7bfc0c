import type { FailedJob } from '../../contracts/failed-job-store.js';
import { describe, InvalidOptionError } from '../../support/queue-error.js';
import { readable, storable } from '../stored-text.js';

/** A failed job as `record_failure` takes it. */
export interface FailedRecord {
  readonly id: string;
  /**
   * Two lines of JSON, and texts as they are:
   *
   *     [connection, queue]                                   its label
   *     [name, displayName, failedAt, batchId, characters of the payload]
   *     payload, and exception right behind it
   */
  readonly record: string;
  /** Epoch ms. */
  readonly failedAt: number;
}

type Head = readonly [name: string, displayName: string, failedAt: number, batchId: string | null, payload: number];

/** @throws InvalidOptionError where the moment is none: its place would not be known */
export function failedRecord(job: FailedJob): FailedRecord {
  const failedAt = job.failedAt.getTime();
  if (!Number.isFinite(failedAt)) {
    throw new InvalidOptionError(
      `The failure of job ${job.id} cannot be recorded: failedAt is ${describe(job.failedAt)}.`,
    );
  }
  const payload = storable(job.payload);
  const head: Head = [job.name, job.displayName, failedAt, job.batchId ?? null, payload.length];
  const record = `${failedLabel(job.connection, job.queue)}\n${JSON.stringify(head)}\n${payload}${storable(job.exception)}`;
  return { id: storable(job.id), record, failedAt };
}

/** What records are found by. JSON keeps every text on one line. */
export function failedLabel(connection: string, queue: string): string {
  return JSON.stringify([connection, queue]);
}

export function readLabel(label: string): { readonly connection: string; readonly queue: string } {
  const [connection, queue] = JSON.parse(label) as [string, string];
  return { connection, queue };
}

/** @param id as it is stored */
export function failedJobOf(id: string, record: string): FailedJob {
  const first = record.indexOf('\n');
  const second = record.indexOf('\n', first + 1);
  const [name, displayName, failedAt, batchId, length] = JSON.parse(record.slice(first + 1, second)) as Head;
  const texts = record.slice(second + 1);
  return {
    id: readable(id),
    ...readLabel(record.slice(0, first)),
    name,
    displayName,
    payload: readable(texts.slice(0, length)),
    exception: readable(texts.slice(length)),
    failedAt: new Date(failedAt),
    ...(batchId === null ? {} : { batchId }),
  };
}
