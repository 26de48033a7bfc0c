import { chunks } from '../support/chunks.js';
import type { ColumnLike, DataSourceLike, EntityMetadataLike } from './typeorm-shapes.js';

/** One row that is asked for. */
export interface EntityRequest {
  readonly source: DataSourceLike;
  readonly metadata: EntityMetadataLike;
  /** The name that travels. */
  readonly entity: string;
  /** The primary key by property path. */
  readonly id: Readonly<Record<string, unknown>>;
  /** Property paths, sorted. */
  readonly relations: readonly string[];
}

/** SQLite refuses an expression deeper than 1,000, and a list of keys is one OR each. */
const KEYS_PER_QUERY = 200;

/** Fetches rows by primary key, one query for all of a class with the same relations. Aligned by index; `undefined` is a row that is gone. */
export async function fetchEntities(requests: readonly EntityRequest[]): Promise<(object | undefined)[]> {
  const groups = new Map<string, number[]>();
  const sources: DataSourceLike[] = [];
  requests.forEach(({ source, entity, relations }, index) => {
    if (!sources.includes(source)) sources.push(source);
    const group = JSON.stringify([sources.indexOf(source), entity, relations]);
    const members = groups.get(group);
    if (members) members.push(index);
    else groups.set(group, [index]);
  });
  const found: (object | undefined)[] = Array.from({ length: requests.length });
  for (const members of groups.values()) {
    // One row asked for twice is fetched once.
    const byKey = new Map<string, EntityRequest>();
    for (const index of members) byKey.set(requestKey(requests[index]!), requests[index]!);
    const rows = new Map<string, object>();
    for (const some of chunks([...byKey.values()], KEYS_PER_QUERY)) await fetchInto(rows, some);
    for (const index of members) found[index] = rows.get(requestKey(requests[index]!));
  }
  return found;
}

/** `requests` are of one class, with the same relations. */
async function fetchInto(rows: Map<string, object>, requests: readonly EntityRequest[]): Promise<void> {
  const { source, metadata, relations } = requests[0]!;
  const options = (missing: readonly EntityRequest[]): object => ({
    where: missing.map(({ id }) =>
      merge(metadata.primaryColumns.map((column) => condition(column, id[column.propertyPath]))),
    ),
    ...(relations.length > 0 ? { relations: merge(relations.map((path) => nested(path, true))) } : {}),
  });
  const missing = pair(rows, requests, await find(source, metadata, options(requests)));
  // A soft-deleted row is still there, and a job about the deletion needs it. Asked for apart, since TypeORM would bring the
  // soft-deleted relations of the others along.
  if (missing.length > 0 && metadata.deleteDateColumn) {
    pair(rows, missing, await find(source, metadata, { ...options(missing), withDeleted: true }));
  }
}

/** Notes each row under the key it was asked for by; gives back what is still missing. */
function pair(
  rows: Map<string, object>,
  requests: readonly EntityRequest[],
  found: readonly object[],
): EntityRequest[] {
  // Databases may hand a key back in another dress than it was asked for in (a uuid in lower case), so the exact ones go first.
  let open = requests;
  let unclaimed = found;
  for (const dress of [(key: string) => key, (key: string) => key.toLowerCase()]) {
    const byKey = new Map(unclaimed.map((row) => [dress(rowKey(requests[0]!.metadata, row)), row]));
    const claimed = new Set<object>();
    open = open.filter((request) => {
      const row = byKey.get(dress(requestKey(request)));
      if (row && !claimed.has(row)) {
        rows.set(requestKey(request), row);
        claimed.add(row);
        return false;
      }
      return true;
    });
    unclaimed = unclaimed.filter((row) => !claimed.has(row));
  }
  if (open.length === 1 && unclaimed.length === 1) {
    rows.set(requestKey(open[0]!), unclaimed[0]!);
    return [];
  }
  return [...open];
}

/** From where writes go: a replica may not have the row yet. */
async function find(source: DataSourceLike, metadata: EntityMetadataLike, options: object): Promise<object[]> {
  const replicated = (source.options as { replication?: unknown }).replication !== undefined;
  if (!replicated) return source.getRepository(metadata.target).find(options);
  const runner = source.createQueryRunner('master');
  try {
    return await runner.manager.getRepository(metadata.target).find(options);
  } finally {
    await runner.release();
  }
}

function requestKey({ metadata, id }: EntityRequest): string {
  return JSON.stringify(metadata.primaryColumns.map((column) => keyText(id[column.propertyPath])));
}

function rowKey(metadata: EntityMetadataLike, row: object): string {
  return JSON.stringify(metadata.primaryColumns.map((column) => keyText(column.getEntityValue(row))));
}

/** A bigint column may come back as text, a number may have gone out as one. */
function keyText(value: unknown): string {
  if (value instanceof Date) return String(value.getTime());
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value);
}

/** The condition of one column; through the relation where the column is one. */
function condition(column: ColumnLike, value: unknown): object {
  const relation = column.relationMetadata;
  const throughRelation = column.referencedColumn && relation?.propertyName === column.propertyName;
  return nested(column.propertyPath, throughRelation ? condition(column.referencedColumn, value) : value);
}

/** `nested('a.b', 1)` is `{ a: { b: 1 } }`. */
function nested(path: string, value: unknown): Record<string, unknown> {
  return path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Record<string, unknown>;
}

function merge(parts: readonly object[]): Record<string, unknown> {
  const whole: Record<string, unknown> = {};
  for (const part of parts) {
    for (const [key, value] of Object.entries(part) as [string, unknown][]) {
      const before = whole[key];
      whole[key] = isPlain(before) && isPlain(value) ? merge([before, value]) : value;
    }
  }
  return whole;
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
