import type { PushEntry, ReservedJob } from '../contracts/queue-driver.js';
import { QueueError } from '../support/queue-error.js';

/** A row of an outbox cannot be read: another version of the package, or somebody else, wrote it. */
export class OutboxEntryError extends QueueError {
  constructor(id: string, outbox: string, cause?: unknown) {
    super(
      'ERR_QUEUE_OUTBOX_ENTRY',
      `The row ${id} in the outbox of the [${outbox}] connection cannot be read. It stays there: update nestjs-queue here as well, or remove it.`,
      { cause },
    );
  }
}

/** What stands in the first line of a row's body; the job's own body is behind it, as it is. */
interface Header {
  readonly v: 1;
  readonly queue: string;
  /** Epoch ms. The delay counts from the dispatch, however long the row lies here. */
  readonly dueAt?: number;
  readonly priority?: number;
  /** Without a time it has no end. */
  readonly lock?: { readonly key: string; readonly owner: string; readonly ttlMs?: number };
  readonly group?: string;
  readonly dedupe?: string;
}

/** Longer than any row lies between the push and its removal, but for an outage of its database that lasts so long. */
const ONCE_MS = 86_400_000;

/** An entry for a connection as a row of its outbox. Its lock is taken where the job goes, when it goes there. */
export function outboxRow(entry: PushEntry, connection: string, now: number): PushEntry {
  const { id, queue, body, delayMs, priority, lock, group, dedupe } = entry;
  const dueAt = entry.dueAt ?? (delayMs > 0 ? now + delayMs : undefined);
  const header: Header = {
    v: 1,
    queue,
    ...(dueAt !== undefined && { dueAt }),
    ...(priority !== undefined && { priority }),
    ...(lock !== undefined && { lock: finite(lock) }),
    ...(group !== undefined && { group }),
    ...(dedupe !== undefined && { dedupe }),
  };
  return { id, queue: connection, body: `${JSON.stringify(header)}\n${body}`, delayMs: 0 };
}

/** The entry of a row, to be stored once however often it is pushed. @throws OutboxEntryError */
export function entryOf({ id, queue, body }: ReservedJob, now: number): PushEntry {
  const end = body.indexOf('\n');
  let header: Partial<Header> | null;
  try {
    header = JSON.parse(body.slice(0, end)) as Partial<Header> | null;
  } catch (cause) {
    throw new OutboxEntryError(id, queue, cause);
  }
  const { dueAt = 0, ...rest } = header ?? {};
  if (rest.v !== 1 || typeof rest.queue !== 'string' || typeof dueAt !== 'number')
    throw new OutboxEntryError(id, queue);
  const { priority, lock, group, dedupe } = rest;
  return {
    id,
    queue: rest.queue,
    body: body.slice(end + 1),
    delayMs: Math.max(0, dueAt - now),
    once: { ttlMs: ONCE_MS },
    ...(priority !== undefined && { priority }),
    ...(lock !== undefined && { lock: { ...lock, ttlMs: lock.ttlMs ?? Infinity } }),
    ...(group !== undefined && { group }),
    ...(dedupe !== undefined && { dedupe }),
  };
}

function finite({ key, owner, ttlMs }: NonNullable<PushEntry['lock']>): NonNullable<Header['lock']> {
  return ttlMs === Infinity ? { key, owner } : { key, owner, ttlMs };
}
