import 'reflect-metadata';
import { Scope, type Type } from '@nestjs/common';
import { REQUEST, type ContextId, type ModuleRef } from '@nestjs/core';
import { JOB_REF, type JobContext } from '../contracts/job-context.js';
import { errorLine } from '../support/error-text.js';
import { QueueError } from '../support/queue-error.js';
import { saysNothing, type InjectionPoint } from './injection-points.js';

/** The container cannot give a job or a middleware what it asks for. */
export class InjectionError extends QueueError {
  constructor(
    message: string,
    cause: unknown,
    /** Whether nothing of that name is visible; otherwise it is there, and making it failed. */
    readonly missing: boolean,
  ) {
    super('ERR_QUEUE_INJECTION', message, { cause });
  }
}

/** The module whose view of the container counts. */
export interface HostModule {
  readonly ref: ModuleRef;
  readonly name: string;
}

type Token = string | symbol | Type;
type Probe = Type<{ readonly values: unknown[] }>;

/**
 * The values of a list of injection points, as one module sees them.
 *
 * Singletons are looked up once, in `prepare()`. What is request-scoped, durable or transient, itself or below, is made in the context
 * of one attempt. `JOB_REF` and `REQUEST` are filled from the job's context, without one of the container's.
 */
export class Dependencies {
  #values: unknown[] = [];
  readonly #fromContext: number[] = [];
  readonly #scoped: number[] = [];
  #maker: Probe | undefined;

  constructor(
    private readonly host: HostModule,
    private readonly points: readonly InjectionPoint[],
  ) {}

  /** Whether an attempt needs a context of the container. */
  get scoped(): boolean {
    return this.#scoped.length > 0;
  }

  /** Whether the values differ by attempt. */
  get varying(): boolean {
    return this.scoped || this.#fromContext.length > 0;
  }

  /** @throws InjectionError for the first point that cannot be filled */
  async prepare(): Promise<this> {
    const values: unknown[] = [];
    for (const [index, point] of this.points.entries()) {
      const token = tokenOf(point.token);
      if (token === JOB_REF || token === REQUEST) {
        this.#fromContext.push(index);
        values.push(undefined);
      } else if (this.#isStatic(token)) {
        values.push((await this.#create(point, probe([point])))[0]);
      } else {
        await this.#look(point);
        this.#scoped.push(index);
        values.push(undefined);
      }
    }
    this.#values = values;
    if (this.scoped) this.#maker = probe(this.#scoped.map((index) => this.points[index]!));
    return this;
  }

  /** For one attempt, where nothing is scoped. The same array each time where nothing varies. */
  values(context: JobContext | undefined): readonly unknown[] {
    if (this.#fromContext.length === 0) return this.#values;
    return this.#fill(context);
  }

  async scopedValues(context: JobContext, contextId: ContextId): Promise<readonly unknown[]> {
    const made = (await this.host.ref.create(this.#maker!, contextId)).values;
    const values = this.#fill(context);
    this.#scoped.forEach((index, at) => (values[index] = made[at]));
    return values;
  }

  #fill(context: JobContext | undefined): unknown[] {
    const values = this.#values.slice();
    for (const index of this.#fromContext) values[index] = context;
    return values;
  }

  /**
   * `get` with `each` looks at every provider of the token in the application and refuses where one is not a plain singleton all the way
   * down. So a yes is sure, and a no at worst costs a context an attempt.
   */
  #isStatic(token: Token): boolean {
    try {
      this.host.ref.get(token, { strict: false, each: true });
      return this.host.ref.introspect(token).scope === Scope.DEFAULT;
    } catch (error) {
      return (error as Error).constructor.name === 'UnknownElementException';
    }
  }

  /** Whether a scoped dependency is visible, without an attempt to make it for. Nest looks it up and then refuses to make it. */
  async #look(point: InjectionPoint): Promise<void> {
    const looked = this.#create(point, probe([point])).catch((error: unknown) => {
      const cause = (error as InjectionError).cause as Error | undefined;
      if (cause?.constructor.name !== 'RequestScopedCreateException') throw error;
    });
    // The first releases of Nest 11 never answer instead of refusing; a look-up takes microtasks alone.
    await Promise.race([looked, turn().then(turn)]);
  }

  async #create(point: InjectionPoint, type: Probe): Promise<unknown[]> {
    if (point.token === undefined || point.token === null) {
      throw new InjectionError(
        `${point.where}: its type was not known when the class was decorated, mostly since two files import each other. Name it late: @Inject(forwardRef(() => X)), or for a handler @Job({ inject: () => [X] }).`,
        undefined,
        true,
      );
    }
    try {
      return (await this.host.ref.create(type)).values;
    } catch (error) {
      throw this.#explain(point, type, error);
    }
  }

  #explain(point: InjectionPoint, type: Probe, error: unknown): InjectionError {
    const named = tokenName(point.token);
    const at = `${point.where} (${named})`;
    const unknown = error as { constructor: Function; type?: unknown };
    const mine = unknown.type === type.name || unknown.type === type;
    if (unknown.constructor.name !== 'UnknownDependenciesException' || !mine) {
      return new InjectionError(`${at} cannot be made: ${errorLine(error)}`, error, false);
    }
    const what = saysNothing(point.token)
      ? `the compiler keeps no type for it (an interface, a union or a primitive). Name what to inject: @Inject(TOKEN).`
      : `no such provider is visible in ${this.host.name}. List ${named} in its providers, or export it from the module that has it and import that module in ${this.host.name}.`;
    return new InjectionError(`${at}: ${what}`, error, true);
  }
}

/** A class that takes just these dependencies and keeps them: the public way to ask for anything that a module can see. */
function probe(points: readonly InjectionPoint[]): Probe {
  const type = class {
    readonly values: unknown[];
    constructor(...values: unknown[]) {
      this.values = values;
    }
  };
  // The name stands in Nest's own messages.
  Object.defineProperty(type, 'name', {
    value: points.length === 1 ? points[0]!.where : (points[0]?.where.split(',')[0] ?? 'job'),
  });
  Reflect.defineMetadata(
    'design:paramtypes',
    points.map(() => Object),
    type,
  );
  Reflect.defineMetadata(
    'self:paramtypes',
    points.map(({ token }, index) => ({ index, param: token })),
    type,
  );
  Reflect.defineMetadata(
    'optional:paramtypes',
    points.flatMap(({ optional }, index) => (optional ? [index] : [])),
    type,
  );
  return type;
}

function tokenOf(token: unknown): Token {
  return (
    typeof token === 'object' && token !== null && 'forwardRef' in token ? (token.forwardRef as () => unknown)() : token
  ) as Token;
}

function tokenName(token: unknown): string {
  const named = tokenOf(token);
  return typeof named === 'function' ? named.name : String(named);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
