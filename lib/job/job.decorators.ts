import 'reflect-metadata';
import { Injectable, Scope, type InjectionToken, type Type } from '@nestjs/common';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import { delayMs, durationMs, type Duration } from '../support/duration.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** What decorators say about a job class. Kept on the class itself; a subclass inherits what it does not say again. */
export interface DeclaredPolicies {
  name?: string;
  aliases?: readonly string[];
  queue?: string;
  connection?: string;
  delay?: Duration;
  inject?: () => InjectionToken[];
  tries?: number;
  /** Milliseconds. */
  backoff?: readonly number[];
  /** Milliseconds; 0 is none. */
  timeout?: number;
  maxExceptions?: number;
  failOnTimeout?: boolean;
  unique?: { readonly until: 'start' | 'end'; readonly ttlMs?: number };
  debounce?: { readonly delayMs: number; readonly maxWaitMs?: number };
  encrypted?: boolean;
  afterCommit?: boolean;
  deleteWhenMissingEntities?: boolean;
  middleware?: readonly (JobMiddleware | Type<JobMiddleware>)[];
  schedule?: { readonly cron: string; readonly options: ScheduleOptions };
}

export interface ScheduleOptions {
  timeZone?: string;
  arguments?: () => unknown[];
  withoutOverlapping?: boolean;
}

// Symbol.for: a second copy of the package in one process must read the same metadata.
const JOB = Symbol.for('nestjs-queue:job');
const POLICIES = Symbol.for('nestjs-queue:policies');
const HANDLER = Symbol.for('nestjs-queue:handler');
const CALLABLE = Symbol.for('nestjs-queue:callable');

/**
 * Makes a class a job. List it in any module's `providers` (or `QueueModule.forFeature`); Nest never constructs it at boot.
 *
 * @param options `name` is what travels and defaults to the class name; `aliases` are names it answers to besides; `queue`,
 * `connection` and `delay` are defaults for its dispatch; `inject` names the handler's dependencies where types cannot (circular
 * imports, compilers without metadata)
 * @throws InvalidOptionError when an option cannot be
 */
export function Job(
  options: {
    name?: string;
    aliases?: string[];
    queue?: string;
    connection?: string;
    delay?: Duration;
    inject?: () => InjectionToken[];
  } = {},
): ClassDecorator {
  return (target) => {
    const at = `@Job on ${target.name}`;
    for (const key of ['name', 'queue', 'connection'] as const) {
      const value = options[key];
      if (value !== undefined && (typeof value !== 'string' || value === '')) {
        throw new InvalidOptionError(`${at}: ${key} is ${describe(value)}. Give a name that is not empty.`);
      }
    }
    for (const name of [options.name, ...(options.aliases ?? [])]) {
      if (typeof name === 'string' && name.startsWith('@')) {
        throw new InvalidOptionError(
          `${at}: the name ${describe(name)} begins with @, as only names of this package do. Give another one.`,
        );
      }
    }
    for (const alias of options.aliases ?? []) {
      if (typeof alias !== 'string' || alias === '')
        throw new InvalidOptionError(`${at}: one of aliases is ${describe(alias)}. Give names that are not empty.`);
    }
    if (options.delay !== undefined) delayMs(options.delay, `${at}: delay`, 0);
    Reflect.defineMetadata(JOB, true, target);
    declare(target, { ...options, name: options.name ?? target.name });
    // The constructor takes what the job carries, not dependencies: without this Nest 12 would try to resolve them at boot. A
    // transient provider that nobody injects is never constructed (on 11 and 12).
    Reflect.defineMetadata('design:paramtypes', [], target);
    Injectable({ scope: Scope.TRANSIENT })(target);
  };
}

/** Marks the handler, so that its parameters' types are known without a decorator on each of them. */
export function Handle(): MethodDecorator {
  return (target, key) => {
    Reflect.defineMetadata(HANDLER, String(key), target.constructor);
  };
}

/** Pick-ups before the job fails; 0 is unlimited. */
export function Tries(tries: number): ClassDecorator {
  return policy(() => ({ tries: wholeNumber(tries, '@Tries', 0) }));
}

/** Delay before the next try, one an attempt; the last one holds from there on. `Backoff(1, 5, 10)` is `Backoff([1, 5, 10])`. */
export function Backoff(...delays: (Duration | Duration[])[]): ClassDecorator {
  return policy(() => {
    const list = delays.flat();
    if (list.length === 0) throw new InvalidOptionError('@Backoff has no delay. Give at least one.');
    return { backoff: list.map((one) => durationMs(one, '@Backoff')) };
  });
}

/** How long one attempt may run; 0 is no limit. */
export function Timeout(timeout: Duration): ClassDecorator {
  return policy(() => ({ timeout: durationMs(timeout, '@Timeout') }));
}

/** Exceptions, over all attempts, before the job fails whatever its tries. */
export function MaxExceptions(max: number): ClassDecorator {
  return policy(() => ({ maxExceptions: wholeNumber(max, '@MaxExceptions', 1) }));
}

/** A timeout fails the job at once. */
export function FailOnTimeout(): ClassDecorator {
  return policy(() => ({ failOnTimeout: true }));
}

/**
 * At most one of its kind, from dispatch to whatever end: done, failed, removed. Its kind is the class and `uniqueId` (a method or field
 * that gives a text or number; without it the whole class). A dispatch that finds one gives `null`. Batches and `dispatchSync` do not look.
 */
export function Unique(): ClassDecorator {
  return policy(() => ({ unique: { until: 'end' } }));
}

/** As `@Unique()`, at most so long; 0 is as long as the job lives. A method or field `uniqueFor` says it for one job. */
export function UniqueFor(ttl: Duration): ClassDecorator {
  return policy(() => ({ unique: { until: 'end', ttlMs: durationMs(ttl, '@UniqueFor') } }));
}

/** As `@Unique()`, until its handler starts: what is dispatched while it runs waits behind it. */
export function UniqueUntilProcessing(ttl?: Duration): ClassDecorator {
  return policy(() => ({
    unique: { until: 'start', ...(ttl === undefined ? {} : { ttlMs: durationMs(ttl, '@UniqueUntilProcessing') }) },
  }));
}

/**
 * Runs once, `delay` after the last of a burst of dispatches; at the latest `maxWait` after the first. Each dispatch is queued and gives
 * its receipt, and only the last one's handler runs. A burst is the class's and `debounceId`'s, as with `@Unique()`.
 */
export function DebounceFor(delay: Duration, options: { maxWait?: Duration } = {}): ClassDecorator {
  return policy(() => ({
    debounce: {
      delayMs: durationMs(delay, '@DebounceFor'),
      ...(options.maxWait === undefined ? {} : { maxWaitMs: durationMs(options.maxWait, '@DebounceFor maxWait') }),
    },
  }));
}

/**
 * The job's fields travel encrypted, under the module's `key`; without one the boot stops. Names, queue, tags and policies stay readable.
 */
export function Encrypted(): ClassDecorator {
  return policy(() => ({ encrypted: true }));
}

/** Sent when the open transaction commits; at once where there is none. `beforeCommit()` on a dispatch or a job says otherwise. */
export function AfterCommit(): ClassDecorator {
  return policy(() => ({ afterCommit: true }));
}

/** A job whose entity is gone by the time it runs ends as done instead of failing. */
export function DeleteWhenMissingEntities(): ClassDecorator {
  return policy(() => ({ deleteWhenMissingEntities: true }));
}

/** Wraps the handler: instances, or injectable classes. They come before those of `middleware()`. */
export function Middleware(...middleware: (JobMiddleware | Type<JobMiddleware>)[]): ClassDecorator {
  return (target) => {
    for (const one of middleware) {
      const handler = typeof one === 'function' ? one.prototype : one;
      if (typeof handler?.handle !== 'function') {
        throw new InvalidOptionError(
          `@Middleware on ${target.name} was given ${describe(one)}, which has no handle(job, next, context). Give an instance or a class that has one.`,
        );
      }
    }
    // Decorators run from the bottom up; what stands higher comes first.
    declare(target, { middleware: [...middleware, ...(ownPolicies(target).middleware ?? [])] });
  };
}

/**
 * Dispatches a job of this class at the moments of a cron expression (five fields, or six with seconds in front): one at each, however many
 * processes keep the schedule. Needs the package `@nestjs/schedule`. A subclass does not inherit it.
 *
 * @param options `timeZone` is an IANA name, default the machine's; `arguments` gives the constructor's arguments at each moment;
 * `withoutOverlapping` leaves a moment out while the job of an earlier one still waits or runs
 * @throws InvalidOptionError for options that cannot be; the boot checks the expression and the time zone
 */
export function ScheduledJob(cron: string, options: ScheduleOptions = {}): ClassDecorator {
  return policy(() => {
    const { timeZone, arguments: args, withoutOverlapping } = options;
    if (typeof cron !== 'string' || cron.trim() === '')
      throw new InvalidOptionError(
        `@ScheduledJob was given ${describe(cron)}. Give a cron expression such as '*/5 * * * *'.`,
      );
    if (timeZone !== undefined && (typeof timeZone !== 'string' || timeZone === ''))
      throw new InvalidOptionError(
        `@ScheduledJob timeZone is ${describe(timeZone)}. Give a name such as 'Europe/Berlin'.`,
      );
    if (args !== undefined && typeof args !== 'function')
      throw new InvalidOptionError(`@ScheduledJob arguments is ${describe(args)}. Give a function that returns them.`);
    if (withoutOverlapping !== undefined && typeof withoutOverlapping !== 'boolean')
      throw new InvalidOptionError(
        `@ScheduledJob withoutOverlapping is ${describe(withoutOverlapping)}. Give true or false.`,
      );
    return { schedule: { cron, options } };
  });
}

/**
 * Lets `call(Service, 'method', …)` reach this method from a queue. The method is called with whatever arguments the job holds: where
 * there is no key, by anyone who can write to the store.
 *
 * @throws InvalidOptionError on a static method, and on one whose name is a symbol
 */
export function Callable(): MethodDecorator {
  return (target, key) => {
    if (typeof target === 'function' || typeof key === 'symbol') {
      throw new InvalidOptionError(
        `@Callable() on ${String(key)}: a call reaches methods of an instance, by a name that is text. Put it on such a method.`,
      );
    }
    Reflect.defineMetadata(CALLABLE, true, target, key);
  };
}

export function isCallable(prototype: object, method: string): boolean {
  return Reflect.getMetadata(CALLABLE, prototype, method) === true;
}

/** Whether this very class (not its parent) has `@Job()`. */
export function isJobClass(type: unknown): type is Type {
  return typeof type === 'function' && Reflect.hasOwnMetadata(JOB, type);
}

/** What the class and its parents declare; nearer ones win, middleware adds up from the parent down. */
export function declaredPolicies(type: Function): DeclaredPolicies {
  const parent = Object.getPrototypeOf(type) as Function | null;
  // Names are a class's own: two classes cannot travel under the same one. So is a schedule: else both would be dispatched.
  const {
    name: _name,
    aliases: _aliases,
    schedule: _schedule,
    ...inherited
  }: DeclaredPolicies = parent && parent !== Function.prototype ? declaredPolicies(parent) : {};
  const own = ownPolicies(type);
  return {
    ...inherited,
    ...own,
    ...(inherited.middleware && own.middleware ? { middleware: [...inherited.middleware, ...own.middleware] } : {}),
  };
}

/** The method that runs: `handle`, or the one marked by `@Handle()`. */
export function handlerName(type: Function): string {
  return (Reflect.getMetadata(HANDLER, type) as string | undefined) ?? 'handle';
}

function policy(read: () => DeclaredPolicies): ClassDecorator {
  return (target) => {
    try {
      declare(target, read());
    } catch (error) {
      if (!(error instanceof InvalidOptionError)) throw error;
      throw new InvalidOptionError(`${target.name}: ${error.message}`, { cause: error });
    }
  };
}

function ownPolicies(target: Function): DeclaredPolicies {
  return (Reflect.getOwnMetadata(POLICIES, target) as DeclaredPolicies | undefined) ?? {};
}

function declare(target: Function, more: DeclaredPolicies): void {
  const said = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined && value !== null));
  Reflect.defineMetadata(POLICIES, { ...ownPolicies(target), ...said }, target);
}

/** @throws InvalidOptionError unless `value` is a whole number of at least `least` */
export function wholeNumber(value: unknown, field: string, least: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  throw new InvalidOptionError(`${field} is ${describe(value)}. Give a whole number from ${least} up.`);
}
