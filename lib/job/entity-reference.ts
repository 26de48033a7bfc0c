import { fetchEntities, type EntityRequest } from './entity-loader.js';
import { InvalidPayloadError } from './payload-errors.js';
import { heightOf, LEAVES, malformed, TAG, tagged, writeLeaf } from './payload-types.js';
import type { ColumnLike, DataSourceLike, EntityMetadataLike } from './typeorm-shapes.js';

/** How an entity travels: by its class, its key and the relations it had loaded. */
export interface EntityReference {
  readonly entity: string;
  /** By property path, as the codec writes scalars. */
  readonly id: Readonly<Record<string, unknown>>;
  readonly relations?: readonly string[];
  /** The data source's name where it is not the default one. */
  readonly source?: string;
}

export interface LoadedReference {
  readonly request: EntityRequest;
  /** `undefined` when the row is gone. */
  readonly entity: object | undefined;
}

/** Where an entity's class is registered. */
interface Home {
  readonly source: DataSourceLike;
  readonly metadata: EntityMetadataLike;
  /** Further data sources that have the same class. */
  readonly others: readonly DataSourceLike[];
}

const DEFAULT_SOURCE = 'default';
/** Each level is one more join for whoever reads the payload. */
const MOST_LEVELS = 10;

/** Turns entities of the application's TypeORM data sources into references, and references into freshly fetched entities. */
export class EntityReferences {
  #known: readonly DataSourceLike[] | undefined;

  /** @param sources asked for each payload, since data sources come up after us; one that is not initialized knows no entities yet */
  constructor(private readonly sources: () => readonly DataSourceLike[]) {}

  /** Whether the value is an instance of a registered entity class. A subclass that is not an entity itself is not one. */
  isEntity(value: object): boolean {
    return this.homeOf(value) !== undefined;
  }

  /**
   * What travels in place of an entity.
   *
   * @returns the reason, as the rest of a sentence, where the entity has no key that could travel
   */
  reference(entity: object, withRelations: boolean): EntityReference | string {
    const { source, metadata, others } = this.homeOf(entity)!;
    if (others.length > 0) {
      const names = [source, ...others].map(sourceName).join(' and ');
      return `is a ${metadata.name}, a class that the data sources ${names} both have, and nothing tells from which of them it comes. Pass its key in a field.`;
    }
    const id: Record<string, unknown> = {};
    for (const column of metadata.primaryColumns) {
      const value: unknown = column.getEntityValue(entity);
      if (value === undefined || value === null) {
        return `is a ${metadata.name} without ${column.propertyPath}: it has not been saved yet. Save it before dispatching the job.`;
      }
      const written = writeKey(value);
      if (written === undefined)
        return `is a ${metadata.name} whose ${column.propertyPath} is of a kind that cannot travel. Pass its key in a field.`;
      id[column.propertyPath] = written;
    }
    const relations = withRelations ? loadedRelations(metadata, entity) : [];
    if (typeof relations === 'string') return relations;
    const name = sourceName(source);
    return {
      entity: entityName(source, metadata),
      id,
      ...(relations.length > 0 ? { relations } : {}),
      ...(name === DEFAULT_SOURCE ? {} : { source: name }),
    };
  }

  /**
   * Reads a reference that comes from a store. Only registered entities, their own primary key and their own relations get through.
   *
   * @throws InvalidPayloadError
   */
  request(reference: unknown): EntityRequest {
    if (typeof reference !== 'object' || reference === null) throw malformed('entity reference');
    const { entity, id, relations = [], source: from = DEFAULT_SOURCE } = reference as Partial<Record<string, unknown>>;
    if (typeof entity !== 'string' || typeof from !== 'string') throw malformed('entity reference');
    for (const source of this.known()) {
      if (sourceName(source) !== from) continue;
      const metadata = source.entityMetadatas.find(
        (one) => !one.isJunction && one.name === baseName(entity) && entityName(source, one) === entity,
      );
      if (!metadata) continue;
      return { source, metadata, entity, id: readId(metadata, id), relations: readRelations(metadata, relations) };
    }
    throw new InvalidPayloadError(
      `The stored payload refers to the entity ${entity.slice(0, 60)}${from === DEFAULT_SOURCE ? '' : ` of the data source ${from.slice(0, 60)}`}, ` +
        'which is not registered here. Register it with TypeORM in this process, and see that its data source is initialized.',
    );
  }

  /** Fetches what is asked for, one query a class. Aligned by index. */
  async load(requests: readonly EntityRequest[]): Promise<readonly LoadedReference[]> {
    const entities = await fetchEntities(requests);
    return requests.map((request, index) => ({ request, entity: entities[index] }));
  }

  /** A payload is written, and read, in one go: a list of a thousand entities need not ask a thousand times. */
  private known(): readonly DataSourceLike[] {
    if (!this.#known) {
      this.#known = [...new Set(this.sources())];
      queueMicrotask(() => {
        this.#known = undefined;
      });
    }
    return this.#known;
  }

  private homeOf(value: object): Home | undefined {
    const proto = Object.getPrototypeOf(value) as object | null;
    if (proto === null || proto === Object.prototype || proto === Array.prototype) return undefined;
    const type: unknown = Object.getOwnPropertyDescriptor(proto, 'constructor')?.value;
    if (typeof type !== 'function') return undefined;
    const [source, ...others] = this.known().filter((one) => one.hasMetadata(type));
    return source && { source, metadata: source.getMetadata(type), others };
  }
}

function sourceName(source: DataSourceLike): string {
  return source.name ?? (source.options as { name?: string }).name ?? DEFAULT_SOURCE;
}

/** The class name; with the table behind it where two entities of a data source share one. */
function entityName(source: DataSourceLike, metadata: EntityMetadataLike): string {
  const shared = source.entityMetadatas.some((one) => one !== metadata && one.name === metadata.name);
  return shared ? `${metadata.name}(${metadata.tablePath})` : metadata.name;
}

function baseName(entity: string): string {
  return entity.split('(', 1)[0]!;
}

/** The relations that are loaded, and those of what they lead to: `author`, `author.address`. A text says why they cannot travel. */
function loadedRelations(metadata: EntityMetadataLike, entity: object): string[] | string {
  const paths: string[] = [];
  if (!gatherRelations(metadata, [entity], '', new Set(), 0, paths)) {
    return `is a ${metadata.name} with more than ${MOST_LEVELS} levels of loaded relations. Use withoutRelations(entity).`;
  }
  return paths.toSorted();
}

/**
 * @param entities all that one path leads to
 * @param above what stands on the way to them: where an object graph leads back to one of these, there is nothing more to find
 * @returns false where it goes too deep
 */
function gatherRelations(
  metadata: EntityMetadataLike,
  entities: readonly object[],
  prefix: string,
  above: ReadonlySet<object>,
  level: number,
  paths: string[],
): boolean {
  const way = new Set([...above, ...entities]);
  return metadata.relations.every((relation) => {
    if (relation.isLazy) return true;
    const values = entities.map((entity) => relation.getEntityValue(entity)).filter((value) => value !== undefined);
    if (values.length === 0) return true;
    if (level === MOST_LEVELS) return false;
    const path = `${prefix}${relation.propertyPath}`;
    paths.push(path);
    const related = new Set(values.flat().filter((one): one is object => typeof one === 'object' && one !== null));
    for (const one of way) related.delete(one);
    if (related.size === 0) return true;
    return gatherRelations(relation.inverseEntityMetadata, [...related], `${path}.`, way, level + 1, paths);
  });
}

function readRelations(metadata: EntityMetadataLike, relations: unknown): string[] {
  if (!Array.isArray(relations)) throw malformed('entity reference');
  const paths = (relations as unknown[]).map((path) => {
    if (typeof path !== 'string' || !hasRelation(metadata, path, 0)) {
      throw new InvalidPayloadError(
        `The stored payload asks for the relation ${String(path).slice(0, 60)} of ${metadata.name}, which it does not have here.`,
      );
    }
    return path;
  });
  return [...new Set(paths)].toSorted();
}

/** An embedded's relation has a dot in its own name, so that a path is not simply split. */
function hasRelation(metadata: EntityMetadataLike, path: string, level: number): boolean {
  if (level >= MOST_LEVELS) return false;
  return metadata.relations.some(
    ({ propertyPath, inverseEntityMetadata }) =>
      propertyPath === path ||
      (path.startsWith(`${propertyPath}.`) &&
        hasRelation(inverseEntityMetadata, path.slice(propertyPath.length + 1), level + 1)),
  );
}

/** Exactly the primary key, and scalars only: an object in its place would be a condition of somebody else's making. */
function readId(metadata: EntityMetadataLike, id: unknown): Record<string, unknown> {
  if (typeof id !== 'object' || id === null) throw malformed('entity reference');
  const read: Record<string, unknown> = {};
  for (const { propertyPath } of metadata.primaryColumns as readonly ColumnLike[]) {
    read[propertyPath] = readKey(
      Object.hasOwn(id, propertyPath) ? (id as Record<string, unknown>)[propertyPath] : undefined,
    );
  }
  return read;
}

function writeKey(value: unknown): unknown {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value === 'bigint') return tagged('BigInt', String(value));
  if (typeof value !== 'object' || value === null) return undefined;
  const leaf = writeLeaf(value, heightOf(Object.getPrototypeOf(value) as object | null));
  return leaf && KEY_TYPES.has(leaf[TAG]) && leaf.v !== null ? leaf : undefined;
}

const KEY_TYPES: ReadonlySet<unknown> = new Set(['BigInt', 'Date', 'Buffer', 'Uint8Array']);

function readKey(value: unknown): unknown {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, TAG)) throw malformed('entity reference');
  const { [TAG]: type, v } = value as Record<string, unknown>;
  if (!KEY_TYPES.has(type) || v === null) throw malformed('entity reference');
  return LEAVES.get(type as string)!(v);
}
