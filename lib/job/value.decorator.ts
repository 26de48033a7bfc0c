import 'reflect-metadata';
import { InvalidOptionError } from '../support/queue-error.js';

/** A class whose instances travel as what `toJSON()` gives and come back by `fromJSON()`. */
export interface ValueType {
  readonly name: string;
  readonly prototype: { toJSON(): unknown };
  fromJSON(json: unknown): unknown;
}

/** By the name that travels. */
export type ValueTypes = ReadonlyMap<string, ValueType>;

// Symbol.for, and on globalThis: a second copy of the package in one process must know the same classes.
const VALUE = Symbol.for('nestjs-queue:value');
const REGISTRY = Symbol.for('nestjs-queue:values');

/**
 * Lets instances of a class be fields of a job. The class needs `toJSON()` and a static `fromJSON(json)`; whatever may be a job's
 * field may be what they exchange. A subclass needs a `@Value()` of its own.
 *
 * @param name what travels; default the class name. Give one where the class may be renamed or a minifier renames it.
 * @throws InvalidOptionError when `fromJSON` or `toJSON` is missing, or another class has the name
 */
export function Value(name?: string): ClassDecorator {
  return (target) => {
    const travels = name ?? target.name;
    if (typeof travels !== 'string' || travels === '') {
      throw new InvalidOptionError(`@Value() on a class without a name. Give it one: @Value('Money').`);
    }
    const type = target as unknown as ValueType;
    if (typeof type.fromJSON !== 'function') {
      throw new InvalidOptionError(
        `@Value() on ${target.name} needs a static fromJSON(json) that makes an instance from what toJSON() gave. Add it.`,
      );
    }
    if (typeof type.prototype.toJSON !== 'function') {
      throw new InvalidOptionError(`@Value() on ${target.name} needs a toJSON() method that gives plain data. Add it.`);
    }
    const known = registry().get(travels);
    if (known && known !== type && !sameSource(known, type)) {
      throw new InvalidOptionError(
        `Two classes are registered as @Value() ${travels}: give one of them a name of its own, @Value('Other${travels}').`,
      );
    }
    registry().set(travels, type);
    Reflect.defineMetadata(VALUE, travels, target);
  };
}

/** Every class with `@Value()`, live. */
export function registeredValues(): ValueTypes {
  return registry();
}

/** The name under which instances of this very class (not its parent) travel. */
export function valueName(type: Function): string | undefined {
  return Reflect.getOwnMetadata(VALUE, type) as string | undefined;
}

function registry(): Map<string, ValueType> {
  const place = globalThis as { [REGISTRY]?: Map<string, ValueType> };
  return (place[REGISTRY] ??= new Map());
}

/**
 * Test runners and hot reload evaluate a module again and so declare its classes again. The text tells that from two classes that
 * happen to share a name; the newer one then takes the place.
 */
function sameSource(one: ValueType, other: ValueType): boolean {
  return Function.prototype.toString.call(one) === Function.prototype.toString.call(other);
}
