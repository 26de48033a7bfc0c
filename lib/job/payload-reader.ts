import type { LoadedReference } from './entity-reference.js';
import { EntityMissingError, InvalidPayloadError } from './payload-errors.js';
import { LEAVES, malformed, MAX_DEPTH, MAX_NODES, TAG } from './payload-types.js';
import type { ValueTypes } from './value.decorator.js';

type Node = Readonly<Record<string, unknown>>;
/** What was fetched, by the node that asks for it. */
export type LoadedEntities = ReadonlyMap<unknown, LoadedReference>;

/**
 * Brings one payload back. Types come from a closed set; a name from the store is looked up in a Map and nowhere else, and every
 * property is written to an object of our own making.
 */
export class PayloadReader {
  private nodes = 0;

  constructor(
    private readonly values: ValueTypes,
    private readonly loaded: LoadedEntities,
  ) {}

  /** Looks a payload without tags through: size, depth, and `__proto__` keys, which are dropped. Nothing is copied. */
  check(value: object, depth = 0): void {
    this.enter(depth);
    if (Array.isArray(value)) {
      this.room(value.length);
      for (const one of value as unknown[]) if (typeof one === 'object' && one !== null) this.check(one, depth + 1);
      return;
    }
    const keys = Object.keys(value);
    this.room(keys.length);
    for (const key of keys) {
      if (key === '__proto__') {
        delete (value as Record<string, unknown>)[key];
        continue;
      }
      const one = (value as Record<string, unknown>)[key];
      if (typeof one === 'object' && one !== null) this.check(one, depth + 1);
    }
  }

  properties(node: unknown, depth: number, into: Record<string, unknown> = {}): Record<string, unknown> {
    if (!isRecord(node)) throw malformed('object');
    this.enter(depth);
    const keys = Object.keys(node);
    this.room(keys.length);
    // No other key has a setter on Object.prototype: plain assignment makes own properties of `constructor` and `toString` too.
    for (const key of keys) if (key !== '__proto__') into[key] = this.revive(node[key], depth + 1);
    return into;
  }

  private revive(node: unknown, depth: number): unknown {
    if (typeof node !== 'object' || node === null) return node;
    if (Array.isArray(node)) return this.array(node, depth);
    if (!Object.hasOwn(node, TAG)) return this.properties(node, depth);
    return this.tagged(node as Node, depth);
  }

  private array(node: readonly unknown[], depth: number): unknown[] {
    this.enter(depth);
    this.room(node.length);
    const values: unknown[] = [];
    for (let index = 0; index < node.length; index++) {
      const one = node[index];
      if (isHole(one)) values.length = index + 1;
      else values[index] = this.revive(one, depth + 1);
    }
    return values;
  }

  private tagged(node: Node, depth: number): unknown {
    const type = node[TAG];
    const leaf = typeof type === 'string' ? LEAVES.get(type) : undefined;
    if (leaf) return leaf(node['v']);
    const v = node['v'];
    switch (type) {
      case 'Object':
        return this.properties(v, depth);
      case 'NullObject':
        return this.properties(v, depth, Object.create(null) as Record<string, unknown>);
      case 'Map':
        return this.map(v, depth);
      case 'Set':
        if (!Array.isArray(v)) throw malformed('Set');
        return new Set(this.array(v, depth));
      case 'Error':
        return this.error(v, depth);
      case 'Value':
        return this.value(node, depth);
      case 'Entity':
      case 'Entities':
        return this.entities(node);
      default:
        throw new InvalidPayloadError(
          `The stored payload has a value of the type ${String(type).slice(0, 60)}, which this version does not know.`,
        );
    }
  }

  private map(v: unknown, depth: number): Map<unknown, unknown> {
    if (!Array.isArray(v)) throw malformed('Map');
    this.enter(depth);
    this.room(v.length * 2);
    const map = new Map<unknown, unknown>();
    for (const entry of v as unknown[]) {
      if (!Array.isArray(entry) || entry.length !== 2) throw malformed('Map');
      map.set(this.revive(entry[0], depth + 1), this.revive(entry[1], depth + 1));
    }
    return map;
  }

  private error(v: unknown, depth: number): Error {
    if (!isRecord(v) || typeof v['message'] !== 'string' || typeof v['name'] !== 'string') throw malformed('Error');
    this.enter(depth);
    this.room(5);
    const error = new Error(v['message']);
    if (v['name'] !== 'Error') hide(error, 'name', v['name']);
    hide(error, 'stack', typeof v['stack'] === 'string' ? v['stack'] : undefined);
    if (Object.hasOwn(v, 'cause')) hide(error, 'cause', this.revive(v['cause'], depth + 1));
    // Enumerable, as Node's own are.
    if (Object.hasOwn(v, 'code')) (error as { code?: unknown }).code = this.revive(v['code'], depth + 1);
    return error;
  }

  private value(node: Node, depth: number): unknown {
    const name = node['name'];
    const type = typeof name === 'string' ? this.values.get(name) : undefined;
    if (!type) {
      throw new InvalidPayloadError(
        `The stored payload has a @Value() named ${String(name).slice(0, 60)}, which is not registered here. Import its class in this process.`,
      );
    }
    this.enter(depth);
    this.room(1);
    const json = this.revive(node['v'], depth + 1);
    try {
      return type.fromJSON(json);
    } catch (error) {
      throw new InvalidPayloadError(
        `${type.name}.fromJSON() refused what the payload holds: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
    }
  }

  private entities(node: Node): unknown {
    const v = node['v'];
    if (node[TAG] === 'Entity') return this.entityOf(v) ?? this.missing(v);
    if (!Array.isArray(v)) throw malformed('Entities');
    this.room(v.length);
    return (v as unknown[]).map((one) => this.entityOf(one)).filter((one) => one !== undefined);
  }

  private entityOf(node: unknown): object | undefined {
    const found = this.loaded.get(node);
    // The writer says on the outside whether there are entities within.
    if (!found) throw malformed('entity reference');
    return found.entity;
  }

  private missing(node: unknown): never {
    const { request } = this.loaded.get(node)!;
    throw new EntityMissingError(request.entity, request.id);
  }

  private enter(depth: number): void {
    if (depth > MAX_DEPTH)
      throw new InvalidPayloadError(`The stored payload is nested deeper than ${MAX_DEPTH} levels.`);
  }

  private room(children: number): void {
    this.nodes += children;
    if (this.nodes > MAX_NODES) throw new InvalidPayloadError(`The stored payload has more than ${MAX_NODES} values.`);
  }
}

/** The nodes that hold entity references, found without bringing anything else back. */
export function referenceNodes(root: unknown): unknown[] {
  const found: unknown[] = [];
  const open: { node: unknown; literal: boolean }[] = [{ node: root, literal: true }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { node } = next;
    if (typeof node !== 'object' || node === null) continue;
    const type = next.literal || !Object.hasOwn(node, TAG) ? undefined : (node as Node)[TAG];
    const v = (node as Node)['v'];
    if (type === 'Entity') found.push(v);
    else if (type === 'Entities' && Array.isArray(v)) for (const one of v) found.push(one);
    // What stands in `v` here is the user's own object, whatever keys it has.
    else if (type === 'Object' || type === 'NullObject') open.push({ node: v, literal: true });
    else for (const one of Object.values(node)) open.push({ node: one, literal: false });
    if (found.length > MAX_NODES)
      throw new InvalidPayloadError(`The stored payload has more than ${MAX_NODES} values.`);
  }
  return found;
}

function isRecord(node: unknown): node is Node {
  return typeof node === 'object' && node !== null && !Array.isArray(node);
}

function isHole(node: unknown): boolean {
  return isRecord(node) && Object.hasOwn(node, TAG) && node[TAG] === 'hole';
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
}
