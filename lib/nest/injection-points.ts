import 'reflect-metadata';
import type { Type } from '@nestjs/common';
import type { JobDefinition } from '../job/job-definition.js';
import { InvalidOptionError } from '../support/queue-error.js';

/** One place that the container fills. */
export interface InjectionPoint {
  /** For messages: `ProcessPodcast.handle(), parameter 0`. */
  readonly where: string;
  /** As decorators or the compiler recorded it: a class, string or symbol, a `forwardRef()`, or nothing. */
  readonly token: unknown;
  readonly optional: boolean;
}

export interface PropertyPoint extends InjectionPoint {
  readonly key: string | symbol;
}

// The keys under which Nest (11 and 12) keeps what @Inject() and @Optional() say.
const TYPES = 'design:paramtypes';
const TOKENS = 'self:paramtypes';
const OPTIONAL = 'optional:paramtypes';
const PROPERTIES = 'self:properties_metadata';
const OPTIONAL_PROPERTIES = 'optional:properties_metadata';

/** What a compiler records for interfaces, unions and primitives: nothing that a provider could be found by. */
const SAYS_NOTHING = new Set<unknown>([
  Object,
  String,
  Number,
  Boolean,
  Array,
  Function,
  Promise,
  Symbol,
  BigInt,
  undefined,
]);

export function saysNothing(type: unknown): boolean {
  return SAYS_NOTHING.has(type);
}

interface Method {
  readonly name: string;
  readonly role: 'handler' | 'failed';
  /** The first parameter that is injected: `failed()` gets the error before. */
  readonly first: number;
  /** The class that declares it: decorators of a method count where the method stands, not where it is overridden. */
  readonly owner: object;
  readonly types: readonly unknown[] | undefined;
  readonly count: number;
  readonly tokens: Map<number, unknown>;
  readonly optional: Set<number>;
}

/**
 * The parameters of the handler and of `failed()`.
 *
 * Nest keeps a token of a method's parameter on the class by its index alone. It is given to the method that can have it; where that
 * cannot be told the boot fails.
 *
 * @param overridden the handler is called by someone else, who gives it what it takes
 * @throws InvalidOptionError when a token could belong to either method, or a parameter says nothing about what it wants
 */
export function methodPoints(
  definition: JobDefinition,
  overridden = false,
): { handler: InjectionPoint[]; failed: InjectionPoint[] } {
  const { type } = definition;
  const handler = methodOf(type, definition.handler, 'handler')!;
  const failed = methodOf(type, 'failed', 'failed');
  const methods = failed ? [handler, failed] : [handler];
  for (const owner of new Set(methods.map((method) => method.owner))) {
    attribute(
      definition,
      owner,
      methods.filter((method) => method.owner === owner),
    );
  }
  return {
    handler: overridden ? [] : definition.inject ? listed(definition, handler) : parameters(type, handler),
    failed: failed ? parameters(type, failed) : [],
  };
}

/** `@Inject()` properties, those of parents included. */
export function propertyPoints(type: Type): PropertyPoint[] {
  const found = (Reflect.getMetadata(PROPERTIES, type) ?? []) as { key: string | symbol; type: unknown }[];
  const optional = (Reflect.getMetadata(OPTIONAL_PROPERTIES, type) ?? []) as (string | symbol)[];
  const points = new Map<string | symbol, PropertyPoint>();
  for (const { key, type: token } of found) {
    points.set(key, { key, token, where: `${type.name}.${String(key)}`, optional: optional.includes(key) });
  }
  return [...points.values()];
}

/** The constructor's parameters, as Nest reads them. */
export function constructorPoints(type: Type): InjectionPoint[] {
  const tokens = [...((Reflect.getMetadata(TYPES, type) ?? []) as unknown[])];
  for (const { index, param } of (Reflect.getMetadata(TOKENS, type) ?? []) as Entry[]) tokens[index] = param;
  const optional = (Reflect.getMetadata(OPTIONAL, type) ?? []) as number[];
  const count = Math.max(tokens.length, type.length);
  return Array.from({ length: count }, (_, index) => ({
    where: `${type.name}, constructor parameter ${index}`,
    token: tokens[index],
    optional: optional.includes(index),
  }));
}

interface Entry {
  readonly index: number;
  readonly param: unknown;
}

function methodOf(type: Type, name: string, role: Method['role']): Method | undefined {
  for (
    let owner: object | null = type.prototype as object;
    owner && owner !== Object.prototype;
    owner = Object.getPrototypeOf(owner)
  ) {
    const own = Object.getOwnPropertyDescriptor(owner, name);
    if (!own) continue;
    if (typeof own.value !== 'function') return undefined;
    const types = Reflect.getOwnMetadata(TYPES, owner, name) as unknown[] | undefined;
    const count = types?.length ?? (own.value as Function).length;
    return {
      name,
      role,
      first: role === 'failed' ? 1 : 0,
      owner,
      types,
      count,
      tokens: new Map(),
      optional: new Set(),
    };
  }
  return undefined;
}

/** Shares out what stands on `owner` among its methods. */
function attribute(definition: JobDefinition, owner: object, methods: readonly Method[]): void {
  // A method without recorded types has no decorators, where the compiler records any.
  const typed = methods.filter((method) => method.types);
  const decorated = (typed.length > 0 ? typed : methods).filter(
    (method) => !(definition.inject && method.role === 'handler'),
  );
  const reaching = (index: number): Method[] =>
    decorated.filter((method) => index >= method.first && (index < method.count || decorated.length === 1));

  // A class repeats its parent's entries before its own.
  const inherited = (Reflect.getMetadata(TOKENS, Object.getPrototypeOf(owner) as object) ?? []) as Entry[];
  const own = ((Reflect.getOwnMetadata(TOKENS, owner) ?? []) as Entry[]).filter((entry) => !inherited.includes(entry));
  // A bare @Inject() records Function, the method's own type: the parameter's type is what counts then.
  const named = own.filter(({ param }) => param !== undefined && param !== Function);
  for (const index of new Set(named.map((entry) => entry.index))) {
    const tokens = named.filter((entry) => entry.index === index).map((entry) => entry.param);
    const methodsThere = reaching(index);
    if (methodsThere.length === 0) continue;
    const same = new Set(tokens).size === 1;
    let takers = methodsThere;
    if (methodsThere.length > 1 && tokens.length === 1) {
      // The other one must do with its type; if only one of them cannot, the token is its.
      takers = methodsThere.filter((method) => saysNothing(method.types?.[index]));
      if (takers.length !== 1) throw ambiguous(definition, index, '@Inject(TOKEN)');
    } else if (!same) {
      throw ambiguous(definition, index, '@Inject(TOKEN)');
    }
    for (const method of takers) method.tokens.set(index, tokens[0]);
  }

  const optional = (Reflect.getOwnMetadata(OPTIONAL, owner) ?? []) as number[];
  for (const index of new Set(optional)) {
    const methodsThere = reaching(index);
    if (methodsThere.length > 1 && optional.filter((one) => one === index).length === 1) {
      throw ambiguous(definition, index, '@Optional()');
    }
    for (const method of methodsThere) method.optional.add(index);
  }
}

function parameters(type: Type, method: Method): InjectionPoint[] {
  const count = Math.max(method.count, ...[...method.tokens.keys()].map((index) => index + 1));
  const points: InjectionPoint[] = [];
  for (let index = method.first; index < count; index += 1) {
    const token = method.tokens.get(index) ?? method.types?.[index];
    if (method.types === undefined && token === undefined) throw undecorated(type, method, index);
    points.push({
      where: `${type.name}.${method.name}(), parameter ${index}`,
      token,
      optional: method.optional.has(index),
    });
  }
  return points;
}

function listed({ type, inject }: JobDefinition, handler: Method): InjectionPoint[] {
  const tokens = inject!();
  if (!Array.isArray(tokens) || handler.count > tokens.length) {
    throw new InvalidOptionError(
      `${type.name}.${handler.name}() takes ${handler.count} parameters, but @Job({ inject }) on ${type.name} names ${Array.isArray(tokens) ? tokens.length : 'no list of them'}. Name one dependency for each, in order.`,
    );
  }
  return tokens.map((token, index) => ({
    where: `${type.name}.${handler.name}(), parameter ${index}`,
    token,
    optional: false,
  }));
}

function undecorated(type: Type, method: Method, index: number): InvalidOptionError {
  const whole =
    method.role === 'handler'
      ? `mark the method with @Handle() or the parameter with @Inject(), take the dependency as a property (@Inject() private readonly x!: X), or list it: @Job({ inject: () => [X] })`
      : `mark the parameter with @Inject(), or take the dependency as a property (@Inject() private readonly x!: X)`;
  return new InvalidOptionError(
    `${type.name}.${method.name}(), parameter ${index}: nothing says what to inject. Either ${whole}.`,
  );
}

function ambiguous({ type, handler }: JobDefinition, index: number, decorator: string): InvalidOptionError {
  return new InvalidOptionError(
    `${type.name}: ${decorator} at parameter ${index} could belong to ${handler}() or to failed(), since Nest keeps it by its index alone. Take that dependency as a property (@Inject(TOKEN) private readonly x!: X), or list the handler's: @Job({ inject: () => [X, TOKEN] }).`,
  );
}
