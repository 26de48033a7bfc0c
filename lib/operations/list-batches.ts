import type { Batches } from '../bus/batches.js';
import type { ConnectionManager } from '../connections/connection-manager.js';
import { checkOptions, text, whole } from '../connections/option-check.js';
import type { BatchRecord, MemberPage } from '../contracts/batch-store.js';
import type { Batch } from '../contracts/batch.js';

/** `storing`: its members are still being added, or whoever added them was killed. */
export type BatchState = 'storing' | 'running' | 'finished' | 'cancelled';

export interface ListedBatch {
  readonly batch: Batch;
  readonly state: BatchState;
}

export interface BatchServices {
  readonly connections: ConnectionManager;
  readonly batches: Batches;
}

export interface BatchQuery {
  /** Default 50. */
  readonly limit?: number;
  /** The id of a batch: those that were made before it. */
  readonly before?: string;
}

/** A page of batches, newest first. */
export async function listBatches(
  { connections, batches }: BatchServices,
  query: BatchQuery = {},
): Promise<readonly ListedBatch[]> {
  checkOptions({ ...query }, { limit: whole(1), before: text }, 'query');
  const { limit = 50, before } = query;
  const store = await connections.batches();
  const page = await store.page({ limit, ...(before !== undefined && { before }) });
  return page.map((record) => listed(record, batches));
}

export interface MemberQuery {
  /** Default 50. */
  readonly limit?: number;
  /** The `next` of the page in front. */
  readonly after?: string;
}

/** One batch with a page of its members; `undefined` where there is none. */
export async function inspectBatch(
  { connections, batches }: BatchServices,
  id: string,
  query: MemberQuery = {},
): Promise<(ListedBatch & MemberPage) | undefined> {
  checkOptions({ ...query }, { limit: whole(1), after: text }, 'query');
  const { limit = 50, after } = query;
  const store = await connections.batches();
  const record = await store.find(id);
  const page = record && (await store.members(id, { limit, ...(after !== undefined && { after }) }));
  return record && page && { ...listed(record, batches), ...page };
}

function listed(record: BatchRecord, batches: Batches): ListedBatch {
  return { batch: batches.of(record), state: stateOf(record) };
}

function stateOf({ cancelledAt, finishedAt, sealed }: BatchRecord): BatchState {
  if (cancelledAt !== undefined) return 'cancelled';
  if (finishedAt !== undefined) return 'finished';
  return sealed ? 'running' : 'storing';
}
