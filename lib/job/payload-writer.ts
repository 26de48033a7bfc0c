import { types } from 'node:util';
import { QueueError } from '../support/queue-error.js';
import type { EntityReference, EntityReferences } from './entity-reference.js';
import { UnserializableError } from './payload-errors.js';
import { EntryStep, pathText, type PathStep } from './payload-path.js';
import { refusal } from './payload-refusal.js';
import {
  HOLE,
  heightOf,
  MAX_DEPTH,
  MAX_NODES,
  TAG,
  tagged,
  UNDEFINED,
  writeLeaf,
  writeNumber,
  type Tagged,
} from './payload-types.js';
import { valueName, type ValueTypes } from './value.decorator.js';
import { isWithoutRelations } from './without-relations.js';

/**
 * Writes one payload. A part that JSON can carry as it is comes out as the same object; only what holds something else is copied.
 *
 * Where we are is kept in two arrays that are written over again and again: the steps for the path of an error, the containers for
 * telling a circle from mere depth. Both cost next to nothing when all is well.
 */
export class PayloadWriter {
  private readonly steps: PathStep[] = [];
  private readonly holders: object[] = [];
  private depth = 0;
  private nodes = 0;
  private entityCount = 0;

  constructor(
    private readonly jobName: string,
    private readonly values: ValueTypes,
    private readonly entities: EntityReferences | undefined,
    private readonly relationsDropped: ((field: string) => boolean) | undefined,
    /** Errors must not show what the job carries: neither keys of a Map nor what a user's code says of it. */
    private readonly secret = false,
  ) {}

  /** @throws UnserializableError */
  fields(fields: Readonly<Record<string, unknown>>): object {
    try {
      const written = this.properties(fields);
      if (written === fields && !Object.hasOwn(fields, TAG)) return isPlain(fields) ? fields : { ...fields };
      return this.entityCount > 0 ? { [TAG]: 'Fields', entities: true, v: written } : { [TAG]: 'Fields', v: written };
    } catch (error) {
      if (error instanceof QueueError) throw error;
      // A toJSON() or a Proxy of the user's threw.
      if (this.secret) throw this.refuse('could not be read, and what it holds is not shown.');
      const reason = error instanceof Error ? error.message : String(error);
      throw this.refuse(`could not be read: ${reason}`, error);
    }
  }

  private write(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value;
      case 'number':
        return writeNumber(value);
      case 'undefined':
        return UNDEFINED;
      case 'bigint':
        return tagged('BigInt', String(value));
      case 'object':
        return value === null ? null : this.object(value);
      default:
        throw this.refuse(refusal(value));
    }
  }

  private object(value: object): unknown {
    const proto = Object.getPrototypeOf(value) as object | null;
    if (proto === Object.prototype) return this.plain(value);
    if (proto === null) return tagged('NullObject', this.properties(value));
    const height = heightOf(proto);
    if (Array.isArray(value) && height === 2) return this.array(value);
    if (height === 1 && isPlain(value)) return this.plain(value);
    return writeLeaf(value, height) ?? this.container(value, height) ?? this.instance(value, proto);
  }

  private plain(value: object): unknown {
    const written = this.properties(value);
    return Object.hasOwn(value, TAG) ? tagged('Object', written) : written;
  }

  private properties(value: object): object {
    const keys = Object.keys(value);
    this.refuseSymbols(value);
    this.enter(value, keys.length);
    const here = this.depth - 1;
    let copy: Record<string, unknown> | undefined;
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index]!;
      this.steps[here] = key;
      if (key === '__proto__') throw this.refuse('is an own __proto__ key, which is refused. Give it another name.');
      const property = Object.getOwnPropertyDescriptor(value, key);
      if (property && !('value' in property)) {
        throw this.refuse('is a getter or setter, not data. Pass its value.');
      }
      const before: unknown = property?.value;
      const after = this.write(before);
      if (copy === undefined && after !== before) copy = firstOf(value, keys, index);
      if (copy !== undefined) copy[key] = after;
    }
    this.depth--;
    return copy ?? value;
  }

  private array(value: readonly unknown[]): unknown {
    // Before the keys are listed: a huge one is refused at once.
    this.room(value.length);
    if (this.entities && this.isEntityList(value)) return this.entityList(value);
    const keys = Object.keys(value);
    this.refuseSymbols(value);
    const last = keys.at(-1);
    this.enter(value, 0);
    const here = this.depth - 1;
    // Indexes come first, in order, so the last key tells.
    if (last !== undefined && !isIndex(last, value.length)) {
      this.steps[here] = keys.find((key) => !isIndex(key, value.length));
      throw this.refuse('is a named property of an array, which would be lost. Pass an object instead.');
    }
    let copy: unknown[] | undefined;
    for (let index = 0; index < value.length; index++) {
      this.steps[here] = index;
      const before = value[index];
      const after = before === undefined && !Object.hasOwn(value, index) ? HOLE : this.write(before);
      if (copy === undefined && after !== before) copy = value.slice(0, index);
      if (copy !== undefined) copy.push(after);
    }
    this.depth--;
    return copy ?? value;
  }

  private container(value: object, height: number): Tagged | undefined {
    if (height !== 2) return undefined;
    if (types.isMap(value)) {
      this.enter(value, value.size * 2);
      const entries: unknown[] = [];
      for (const [key, held] of value as Map<unknown, unknown>) {
        this.steps[this.depth - 1] = new EntryStep(key);
        entries.push([this.write(key), this.write(held)]);
      }
      this.depth--;
      return tagged('Map', entries);
    }
    if (types.isSet(value)) {
      this.enter(value, value.size);
      const members: unknown[] = [];
      for (const member of value as Set<unknown>) {
        this.steps[this.depth - 1] = new EntryStep(members.length);
        members.push(this.write(member));
      }
      this.depth--;
      return tagged('Set', members);
    }
    return undefined;
  }

  private instance(value: object, proto: object): Tagged {
    const type = Object.getOwnPropertyDescriptor(proto, 'constructor')?.value as unknown;
    const name = typeof type === 'function' ? valueName(type) : undefined;
    if (name !== undefined && this.values.has(name)) {
      this.enter(value, 1);
      this.steps[this.depth - 1] = undefined;
      const v = this.write((value as { toJSON(): unknown }).toJSON());
      this.depth--;
      return { [TAG]: 'Value', name, v } as Tagged;
    }
    if (this.entities?.isEntity(value)) return this.entity(value);
    if (types.isNativeError(value) || value instanceof Error) return this.error(value);
    throw this.refuse(refusal(value, this.entities !== undefined));
  }

  private error(error: Error): Tagged {
    this.enter(error, 5);
    const v: Record<string, unknown> = { name: String(error.name), message: String(error.message) };
    if (typeof error.stack === 'string') v['stack'] = error.stack;
    for (const key of ['code', 'cause'] as const) {
      this.steps[this.depth - 1] = key;
      const held = (error as { code?: unknown; cause?: unknown })[key];
      if (held !== undefined || Object.hasOwn(error, key)) v[key] = this.write(held);
    }
    this.depth--;
    return tagged('Error', v);
  }

  private isEntityList(value: readonly unknown[]): boolean {
    return (
      value.length > 0 && value.every((one) => typeof one === 'object' && one !== null && this.entities!.isEntity(one))
    );
  }

  private entityList(value: readonly unknown[]): Tagged {
    this.enter(value, 0);
    let first: EntityReference | undefined;
    const references = value.map((one, index) => {
      this.steps[this.depth - 1] = index;
      const reference = this.entity(one as object).v as EntityReference;
      first ??= reference;
      if (reference.source !== first.source) {
        throw this.refuse(
          `is a ${reference.entity} of another data source than the ones before it. Pass one list for each data source.`,
        );
      }
      return reference;
    });
    this.depth--;
    return tagged('Entities', references);
  }

  private entity(value: object): Tagged {
    this.entityCount++;
    const field = this.steps[0];
    const bare = isWithoutRelations(value) || (typeof field === 'string' && this.relationsDropped?.(field) === true);
    const reference = this.entities!.reference(value, !bare);
    if (typeof reference === 'string') throw this.refuse(reference);
    return tagged('Entity', reference);
  }

  private refuseSymbols(value: object): void {
    for (const symbol of Object.getOwnPropertySymbols(value)) {
      if (Object.prototype.propertyIsEnumerable.call(value, symbol)) {
        throw this.refuse(`has the key ${String(symbol)}, and symbols cannot travel. Use a string as the key.`);
      }
    }
  }

  private enter(holder: object, children: number): void {
    this.room(children);
    if (this.depth > MAX_DEPTH) {
      throw (
        this.refuseCircle() ??
        this.refuse(`is nested deeper than ${MAX_DEPTH} levels. Flatten it, or store it and pass an id.`)
      );
    }
    this.holders[this.depth++] = holder;
  }

  private room(children: number): void {
    this.nodes += children;
    if (this.nodes > MAX_NODES) {
      throw (
        this.refuseCircle() ??
        this.refuse(`brings the job to more than ${MAX_NODES} values. Store the data and pass an id.`)
      );
    }
  }

  /** A circle shows itself as depth without end; only then is it looked for. */
  private refuseCircle(): UnserializableError | undefined {
    for (let index = 1; index < this.depth; index++) {
      const first = this.holders.indexOf(this.holders[index]!);
      if (first < index) {
        const back = pathText(this.steps.slice(0, first), this.secret) || 'the job itself';
        this.depth = index;
        return this.refuse(`is circular: it leads back to ${back}. Pass an id instead of the object.`);
      }
    }
    return undefined;
  }

  private refuse(problem: string, cause?: unknown): UnserializableError {
    const path = pathText(this.steps.slice(0, this.depth), this.secret);
    return new UnserializableError(this.jobName, path, problem, cause === undefined ? undefined : { cause });
  }
}

/** An object of no class, of this realm or another. */
function isPlain(value: object): boolean {
  const proto = Object.getPrototypeOf(value) as object | null;
  if (proto === null || proto === Object.prototype) return true;
  return Object.getPrototypeOf(proto) === null && Object.hasOwn(proto, 'isPrototypeOf');
}

function firstOf(value: object, keys: readonly string[], count: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (let index = 0; index < count; index++) copy[keys[index]!] = (value as Record<string, unknown>)[keys[index]!];
  return copy;
}

function isIndex(key: string, length: number): boolean {
  const index = Number(key) >>> 0;
  return index < length && String(index) === key;
}
