import { Scope, type FactoryProvider, type Type } from '@nestjs/common';
import { ContextIdFactory, REQUEST, type ContextId, type ModuleRef } from '@nestjs/core';
import { JOB_REF, type JobContext } from '../contracts/job-context.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import type { JobDefinition } from '../job/job-definition.js';
import type { AttemptScope, RegisteredJob } from '../job/job-registry.js';
import { Dependencies, type HostModule } from './dependencies.js';
import { InjectableMiddleware } from './injectable-middleware.js';
import { methodPoints, propertyPoints } from './injection-points.js';

/** Replaces the call of a job's handler; middleware, attempts and outcome stay as they are. */
export type HandlerOverride = (job: any, moduleRef: ModuleRef) => unknown;

/** The container's context of an attempt, once one was needed. `failed()` opens the attempt again and must find the same one. */
const contextIds = new WeakMap<JobContext, ContextId>();
const attempts = new WeakSet<object>();

/** Lets providers below a job take `@Inject(JOB_REF)`, and properties of jobs pass Nest's own check at boot. `undefined` outside a job. */
export const jobRefProvider: FactoryProvider<JobContext | undefined> = {
  provide: JOB_REF,
  scope: Scope.REQUEST,
  inject: [REQUEST],
  useFactory: (request: unknown) =>
    typeof request === 'object' && request !== null && attempts.has(request) ? (request as JobContext) : undefined,
};

/**
 * A job class with its dependencies, as the module that lists it sees them.
 *
 * @param override called instead of the handler, whose parameters are then not looked at
 * @param hostName the module's name, for messages
 */
export function registeredJob(
  definition: JobDefinition,
  hostModuleRef: ModuleRef,
  override?: HandlerOverride,
  hostName = 'the module that lists the job',
): InjectedJob {
  return new InjectedJob(definition, { ref: hostModuleRef, name: hostName }, override);
}

type Methods = Record<string, ((...values: unknown[]) => unknown) | undefined>;

/** What does not change from attempt to attempt. */
interface Plan {
  /** The handler's parameters, then the properties. */
  readonly call: Dependencies;
  readonly parameters: number;
  readonly keys: readonly (string | symbol)[];
  readonly failed: Dependencies;
  readonly invoke: (job: object, values: readonly unknown[]) => unknown;
  readonly methods: Methods;
  readonly middleware: Map<Type<JobMiddleware>, InjectableMiddleware>;
  readonly host: HostModule;
  /** One scope for all attempts, where none of this depends on the attempt. */
  shared?: AttemptScope;
}

export class InjectedJob implements RegisteredJob {
  #plan: Plan | undefined;
  #planning: Promise<Plan> | undefined;

  constructor(
    readonly definition: JobDefinition,
    private readonly host: HostModule,
    private readonly override: HandlerOverride | undefined,
  ) {}

  /**
   * Looks everything up that does not depend on the attempt. A transient dependency is constructed once for it.
   *
   * @throws InvalidOptionError when a parameter does not say what to inject
   * @throws InjectionError when its module has no such provider
   */
  async verify(): Promise<void> {
    await this.#prepared();
  }

  open(context: JobContext): AttemptScope | Promise<AttemptScope> {
    const plan = this.#plan;
    if (plan) return plan.shared ?? openScope(plan, context);
    return this.#prepared().then((made) => made.shared ?? openScope(made, context));
  }

  #prepared(): Promise<Plan> {
    this.#planning ??= this.#makePlan().then(
      (plan) => (this.#plan = plan),
      (error: unknown) => {
        this.#planning = undefined;
        throw error;
      },
    );
    return this.#planning;
  }

  async #makePlan(): Promise<Plan> {
    const { definition, host, override } = this;
    const { type, handler } = definition;
    const points = methodPoints(definition, override !== undefined);
    const properties = propertyPoints(type);
    // Looked up at the call: a test may spy on the prototype. Never on the job, whose own fields come from a store.
    const methods = type.prototype as Methods;
    const middleware = new Map<Type<JobMiddleware>, InjectableMiddleware>();
    for (const one of definition.middleware ?? []) {
      if (typeof one === 'function') middleware.set(one, await new InjectableMiddleware(host, one).prepare());
    }
    const plan: Plan = {
      host,
      methods,
      middleware,
      call: await new Dependencies(host, [...points.handler, ...properties]).prepare(),
      failed: await new Dependencies(host, points.failed).prepare(),
      parameters: points.handler.length,
      keys: properties.map(({ key }) => key),
      invoke: override
        ? (job) => override(job, host.ref)
        : properties.length === 0
          ? (job, values) => methods[handler]!.apply(job, values as unknown[])
          : (job, values) => methods[handler]!.apply(job, values.slice(0, points.handler.length)),
    };
    const same =
      !plan.call.varying &&
      !plan.failed.varying &&
      // A middleware() method may name classes that nobody has seen yet.
      methods.middleware === undefined &&
      [...middleware.values()].every(({ instance }) => instance !== undefined);
    if (same) plan.shared = new Attempt(plan, undefined, plan.call.values(undefined));
    return plan;
  }
}

function openScope(plan: Plan, context: JobContext): AttemptScope | Promise<AttemptScope> {
  if (!plan.call.scoped) return new Attempt(plan, context, plan.call.values(context));
  return plan.call
    .scopedValues(context, contextIdOf(plan.host.ref, context))
    .then((values) => new Attempt(plan, context, values));
}

/** The container's context of an attempt: one for everything in it, whatever module makes it. */
export function contextIdOf(ref: ModuleRef, context: JobContext): ContextId {
  let contextId = contextIds.get(context);
  if (!contextId) {
    contextId = ContextIdFactory.create();
    contextIds.set(context, contextId);
    attempts.add(context);
    ref.registerRequestByContextId(context, contextId);
  }
  return contextId;
}

class Attempt implements AttemptScope {
  constructor(
    private readonly plan: Plan,
    /** Absent where one scope serves all attempts. */
    private readonly context: JobContext | undefined,
    private readonly values: readonly unknown[],
  ) {}

  inject(job: object): void {
    const { keys, parameters } = this.plan;
    for (let at = 0; at < keys.length; at += 1) {
      (job as Record<string | symbol, unknown>)[keys[at]!] = this.values[parameters + at];
    }
  }

  handle(job: object): unknown {
    return this.plan.invoke(job, this.values);
  }

  failed(job: object, error: Error | null): unknown {
    const { failed, methods, host } = this.plan;
    const hook = methods.failed;
    if (typeof hook !== 'function') return undefined;
    if (!failed.scoped) return hook.call(job, error, ...failed.values(this.context));
    const context = this.context!;
    return failed
      .scopedValues(context, contextIdOf(host.ref, context))
      .then((values) => hook.call(job, error, ...values));
  }

  middleware(type: Type<JobMiddleware>): JobMiddleware | Promise<JobMiddleware> {
    const { middleware, host } = this.plan;
    const known = middleware.get(type);
    if (known) return known.instance ?? this.#make(known);
    return new InjectableMiddleware(host, type).prepare().then((made) => {
      middleware.set(type, made);
      return this.#make(made);
    });
  }

  #make(made: InjectableMiddleware): JobMiddleware | Promise<JobMiddleware> {
    if (made.instance) return made.instance;
    const context = this.context!;
    return made.for(context, () => contextIdOf(this.plan.host.ref, context));
  }
}
