import type { ConnectionManager } from '../connections/connection-manager.js';
import type { EventHub } from '../connections/event-hub.js';
import { PayloadTooLargeError } from '../connections/fit-driver.js';
import { parsedBody } from '../connections/inspected-job.js';
import type { QueueConnection } from '../connections/queue-connection.js';
import type { FailedJob, FailedJobQuery, FailedJobStore } from '../contracts/failed-job-store.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { PushEntry, PushResult } from '../contracts/queue-driver.js';
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

/** Told how many of how many have been dealt with, those that could not be sent among them. */
export type RetryProgress = (done: number, total: number) => void;

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

/** Records read in one go, and those sent in one: so many, or texts of so many characters. */
const FINDS = 16;
const SENT = 96;
const CHARACTERS = 2_000_000;

/**
 * Sends a failed job again, under its own uuid, to the connection and queue it came from, and forgets the record. Its attempts start
 * anew.
 *
 * Who is killed between the two leaves a job and its record. The job knows that it was retried, and takes the record with it when it is
 * done; as long as it is in its queue another retry stores nothing and forgets the record.
 *
 * @returns false where nothing is recorded under that id
 */
export async function retryFailed(services: RetryServices, id: string): Promise<boolean> {
  const { retried, failures } = await sendAgain(services, [id]);
  if (failures.length > 0) throw failures[0];
  return retried > 0;
}

/**
 * Sends all failed jobs again that match, those that failed first in front. One that cannot be sent does not hold up the others.
 *
 * @returns how many were sent
 * @throws RetryIncompleteError when some were not; the first one's own error when none was
 */
export async function retryAllFailed(
  services: RetryServices,
  query: FailedJobQuery = {},
  onProgress?: RetryProgress,
): Promise<number> {
  const ids: string[] = [];
  for await (const page of eachFailedPage(services.connections, query)) for (const { id } of page) ids.push(id);
  return retryEach(services, ids.reverse(), onProgress);
}

/** The same for these, in their order; those that nothing is recorded of are none. @throws as `retryAllFailed` */
export async function retryEach(
  services: RetryServices,
  ids: readonly string[],
  onProgress?: RetryProgress,
): Promise<number> {
  const { retried, failures } = await sendAgain(services, ids, onProgress);
  if (failures.length === 0) return retried;
  throw retried === 0 ? failures[0] : new RetryIncompleteError(retried, ids.length, failures[0]);
}

interface Sent {
  readonly retried: number;
  /** Why those that were found were not sent. */
  readonly failures: readonly unknown[];
}

async function sendAgain(services: RetryServices, ids: readonly string[], onProgress?: RetryProgress): Promise<Sent> {
  const store = await services.connections.failed();
  const failures: unknown[] = [];
  /** Connections whose store took nothing: the rest is not held up by asking it again and again. */
  const away = new Map<string, unknown>();
  let retried = 0;
  try {
    for await (const { records, done } of groupsOf(store, ids)) {
      for (const [name, some] of byConnection(records)) {
        if (away.has(name)) {
          for (const _ of some) failures.push(away.get(name));
          continue;
        }
        try {
          const one = await sendTo(name, some, store, services);
          retried += one.retried;
          failures.push(...one.failures);
        } catch (error) {
          away.set(name, error);
          for (const _ of some) failures.push(error);
        }
      }
      onProgress?.(done, ids.length);
    }
  } catch (error) {
    failures.push(error);
  }
  return { retried, failures };
}

/** Their records, read as they are needed: of very many only a few are in hand. */
async function* groupsOf(
  store: FailedJobStore,
  ids: readonly string[],
): AsyncGenerator<{ readonly records: readonly FailedJob[]; readonly done: number }, void, undefined> {
  let records: FailedJob[] = [];
  let characters = 0;
  for (let at = 0; at < ids.length;) {
    const some = await Promise.all(ids.slice(at, at + FINDS).map((id) => store.find(id)));
    at = Math.min(at + FINDS, ids.length);
    for (const record of some) {
      if (!record) continue;
      records.push(record);
      characters += record.payload.length + record.exception.length;
    }
    if (records.length < SENT && characters < CHARACTERS && at < ids.length) continue;
    yield { records, done: at };
    records = [];
    characters = 0;
  }
}

function byConnection(records: readonly FailedJob[]): ReadonlyMap<string, readonly FailedJob[]> {
  const groups = new Map<string, FailedJob[]>();
  for (const record of records) {
    const group = groups.get(record.connection);
    if (group) group.push(record);
    else groups.set(record.connection, [record]);
  }
  return groups;
}

/** @throws what the connection or the store of failed jobs throws for all of them */
async function sendTo(
  name: string,
  records: readonly FailedJob[],
  store: FailedJobStore,
  services: RetryServices,
): Promise<Sent> {
  const connection = services.connections.get(name);
  const failures: unknown[] = [];
  const ready: { readonly record: FailedJob; readonly entry: PushEntry }[] = [];
  for (const record of records) {
    services.hub.emit(new JobRetryRequested(record));
    try {
      const body = await refreshed(record, services);
      ready.push({ record, entry: { id: record.id, queue: record.queue, body, delayMs: 0 } });
    } catch (error) {
      failures.push(error);
    }
  }
  const results = await push(
    connection,
    ready.map(({ entry }) => entry),
  );
  const sent: FailedJob[] = [];
  for (const [at, { record, entry }] of ready.entries()) {
    let result = results[at]!;
    if (!result.stored && result.error instanceof PayloadTooLargeError && entry.body !== record.payload) {
      // It filled its store's limit as it was, and what was added is no reason to refuse it.
      [result] = (await push(connection, [{ ...entry, body: record.payload }])) as [PushResult];
    }
    // A job that is in its queue again already answers `exists`: then somebody else has sent it, and the record is done with.
    if (!result.stored && result.reason === 'error') failures.push(result.error);
    else sent.push(record);
  }
  if (sent.length > 0) {
    await store.forget(
      sent.map(({ id }) => id),
      sent.map(({ failedAt }) => failedAt),
    );
  }
  return { retried: sent.length, failures };
}

/** @throws what the store says for all of several; what is said of a single one may be about itself, and is its result */
async function push(connection: QueueConnection, entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
  if (entries.length === 0) return [];
  try {
    return await connection.pushEntries(entries);
  } catch (error) {
    if (entries.length > 1) throw error;
    return [{ stored: false, reason: 'error', error }];
  }
}

/**
 * The body as it was, byte for byte where it cannot be read or its signature does not hold here, for want of the key perhaps. Else with
 * the moment of the failure that it was retried after, with `retryUntil` anew, since a moment in the past would end the job before it
 * runs, and with other ids for callbacks, since another failure is one more reason to call them. What is signed is signed anew.
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
  const { retryUntil: _stale, ...rest } = withFreshCallbacks(envelope, record.failedAt.toISOString(), seals);
  const changed = {
    ...rest,
    ...(retryUntil !== undefined && { retryUntil }),
    retried: record.failedAt.getTime(),
  };
  return JSON.stringify(seals.resigned(envelope, record.id, changed));
}
