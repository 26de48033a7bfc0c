import type { ConnectionManager } from '../connections/connection-manager.js';
import type { EventHub } from '../connections/event-hub.js';
import { parsedBody } from '../connections/inspected-job.js';
import type { FailedJob, FailedJobQuery } from '../contracts/failed-job-store.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import { JobRetryRequested } from '../contracts/queue-events.js';
import { UNSEALED, type EnvelopeSeals } from '../job/envelope-seals.js';
import { withFreshCallbacks } from '../job/renew-ids.js';
import { QueueError } from '../support/queue-error.js';
import { eachFailedPage } from './list-failed.js';

/** Some failed jobs were sent again, others could not be; those are still recorded. */
export class RetryIncompleteError extends QueueError {
  constructor(
    readonly retried: number,
    readonly total: number,
    cause: unknown,
  ) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(
      'ERR_QUEUE_RETRY_INCOMPLETE',
      `${retried} of ${total} failed jobs were sent again; the others are still recorded. The first one was not because: ${why}`,
      { cause },
    );
  }
}

export interface RetryServices {
  readonly connections: ConnectionManager;
  readonly hub: EventHub;
  /**
   * What the job says now about until when it may be tried, in epoch ms. `undefined` where it does not say: then a moment that travelled
   * holds while it lies ahead.
   */
  readonly refreshRetryUntil: (envelope: JobEnvelope) => Promise<number | undefined>;
  /** Default: those of a module without a key. */
  readonly seals?: EnvelopeSeals;
}

/**
 * Sends a failed job again, under its own uuid, to the connection and queue it came from, and forgets the record. Its attempts start
 * anew.
 *
 * @returns false where nothing is recorded under that id
 */
export async function retryFailed(services: RetryServices, id: string): Promise<boolean> {
  const store = await services.connections.failed();
  const record = await store.find(id);
  if (!record) return false;
  services.hub.emit(new JobRetryRequested(record));
  const body = await refreshed(record, services);
  const connection = services.connections.get(record.connection);
  // A job that is in its queue again already answers `exists`: then somebody else has sent it, and the record is done with.
  const [result] = await connection.pushEntries([{ id: record.id, queue: record.queue, body, delayMs: 0 }]);
  if (result && !result.stored && result.reason === 'error') throw result.error;
  await store.forget([record.id]);
  return true;
}

/**
 * Sends all failed jobs again that match, those that failed first in front. One that cannot be sent does not hold up the others.
 *
 * @returns how many were sent
 * @throws RetryIncompleteError when some were not; the first one's own error when none was
 */
export async function retryAllFailed(services: RetryServices, query: FailedJobQuery = {}): Promise<number> {
  const ids: string[] = [];
  for await (const page of eachFailedPage(services.connections, query)) for (const { id } of page) ids.push(id);
  let retried = 0;
  const failures: unknown[] = [];
  for (const id of ids.reverse()) {
    try {
      if (await retryFailed(services, id)) retried += 1;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 0) return retried;
  throw retried === 0 ? failures[0] : new RetryIncompleteError(retried, ids.length, failures[0]);
}

/**
 * The body as it was, byte for byte, but for `retryUntil`, since a moment in the past would end the job before it runs, and for the ids
 * of callbacks, since another failure is one more reason to call them. What is signed is signed
 * anew then; a job whose signature does not hold here, for want of the key perhaps, is neither asked nor touched.
 */
async function refreshed(record: FailedJob, services: RetryServices): Promise<string> {
  const envelope = parsedBody(record.payload) as unknown as JobEnvelope;
  if (envelope.v !== 1 || typeof envelope.name !== 'string') return record.payload;
  const seals = services.seals ?? UNSEALED;
  if (seals.refusal(envelope, record.id)) return record.payload;
  // A job that cannot be asked here, because its class is unknown or its data cannot be read, is treated as one that does not say.
  const asked = await services.refreshRetryUntil(envelope).catch(() => undefined);
  const before = envelope.retryUntil;
  const retryUntil = asked ?? (before !== undefined && before > services.connections.clock.now() ? before : undefined);
  const renewed = withFreshCallbacks(envelope, record.failedAt.toISOString(), seals);
  if (retryUntil === before && renewed === envelope) return record.payload;
  const { retryUntil: _stale, ...rest } = renewed;
  const changed = retryUntil === undefined ? rest : { ...rest, retryUntil };
  return JSON.stringify(seals.resigned(envelope, record.id, changed));
}
