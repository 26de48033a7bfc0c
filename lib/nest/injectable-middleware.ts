import 'reflect-metadata';
import { Scope, type Type } from '@nestjs/common';
import type { ContextId } from '@nestjs/core';
import type { JobContext } from '../contracts/job-context.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import { Dependencies, InjectionError, type HostModule } from './dependencies.js';
import { constructorPoints, propertyPoints } from './injection-points.js';

/**
 * A middleware class of a job: the instance that the job's module can see, else one made with dependencies from that module. One for
 * all attempts, or one each where the class or anything below it is scoped.
 */
export class InjectableMiddleware {
  /** Present where one instance serves all attempts. */
  instance: JobMiddleware | undefined;
  #dependencies!: Dependencies;
  #make!: (values: readonly unknown[]) => JobMiddleware;

  constructor(
    private readonly host: HostModule,
    private readonly type: Type<JobMiddleware>,
  ) {}

  async prepare(): Promise<this> {
    const provided = new Dependencies(this.host, [{ where: this.type.name, token: this.type, optional: false }]);
    try {
      this.#dependencies = await provided.prepare();
      this.#make = ([instance]) => instance as JobMiddleware;
      if (!provided.varying) this.instance = this.#make(provided.values(undefined));
      return this;
    } catch (error) {
      if (!(error instanceof InjectionError && error.missing)) throw error;
    }
    const parameters = constructorPoints(this.type);
    const properties = propertyPoints(this.type);
    this.#dependencies = await new Dependencies(this.host, [...parameters, ...properties]).prepare();
    this.#make = (values) => {
      const made = new this.type(...values.slice(0, parameters.length));
      const fields = properties.map(({ key }, index) => [key, values[parameters.length + index]] as const);
      return Object.assign(made, Object.fromEntries(fields)) as JobMiddleware;
    };
    const scope =
      (Reflect.getMetadata('scope:options', this.type) as { scope?: Scope } | undefined)?.scope ?? Scope.DEFAULT;
    if (!this.#dependencies.varying && scope === Scope.DEFAULT)
      this.instance = this.#make(this.#dependencies.values(undefined));
    return this;
  }

  for(context: JobContext, contextId: () => ContextId): JobMiddleware | Promise<JobMiddleware> {
    if (this.instance) return this.instance;
    if (!this.#dependencies.scoped) return this.#make(this.#dependencies.values(context));
    return this.#dependencies.scopedValues(context, contextId()).then(this.#make);
  }
}
