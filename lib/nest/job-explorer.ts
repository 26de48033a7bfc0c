import { ModuleRef, type DiscoveryService, type ModulesContainer } from '@nestjs/core';
import type { Type } from '@nestjs/common';
import { definitionOf, refusePrivateFields } from '../job/job-definition.js';
import { isJobClass } from '../job/job.decorators.js';
import type { JobRegistry } from '../job/job-registry.js';
import { InvalidOptionError } from '../support/queue-error.js';
import { QUEUE_FEATURE } from './tokens.js';
import { registeredJob, type HandlerOverride, type InjectedJob } from './handler-resolver.js';

type HostedBy = ReturnType<DiscoveryService['getProviders']>[number]['host'];

/**
 * Finds the job classes of an application: every provider whose class has `@Job()` of its own, in any module.
 *
 * A class that several modules list is resolved from the first of them, in the order in which Nest has loaded the modules.
 */
export class JobExplorer {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly modules: ModulesContainer,
    private readonly registry: JobRegistry,
    /** The module option `handlers`. */
    private readonly overrides: readonly (readonly [Type, HandlerOverride])[] = [],
  ) {}

  /**
   * Registers them, at once, and then checks what they want injected. Call it when every provider has been made.
   *
   * @throws InvalidOptionError for `#private` fields, two classes of one name, a `handlers` entry without its job, and parameters that
   * do not say what to inject
   * @throws InjectionError when a job's module cannot see what the job wants
   */
  async explore(): Promise<void> {
    const found = this.#register();
    const checks = await Promise.allSettled(found.map((job) => job.verify()));
    for (const check of checks) if (check.status === 'rejected') throw check.reason;
  }

  /** Job classes and the modules whose providers they see: the one that lists them, or that imports their `forFeature()`. */
  *#listed(): IterableIterator<{ type: Type; host: HostedBy }> {
    for (const { metatype, token, instance, host } of this.discovery.getProviders()) {
      if (token === QUEUE_FEATURE) {
        const importer = [...this.modules.values()].find((one) => host !== undefined && one.imports.has(host));
        for (const type of instance as Type[]) yield { type, host: importer };
      } else if (isJobClass(metatype)) {
        yield { type: metatype, host };
      }
    }
  }

  #register(): InjectedJob[] {
    const overrides = new Map(this.overrides);
    const jobs = new Map<Type, InjectedJob>();
    for (const { type: metatype, host } of this.#listed()) {
      if (jobs.has(metatype)) continue;
      const moduleRef: unknown = host?.getProviderByKey(ModuleRef)?.instance;
      if (!(moduleRef instanceof ModuleRef)) continue;
      refusePrivateFields(metatype);
      const job = registeredJob(definitionOf(metatype), moduleRef, overrides.get(metatype), host!.name);
      this.registry.add(job);
      jobs.set(metatype, job);
    }
    for (const type of overrides.keys()) {
      if (!jobs.has(type)) {
        throw new InvalidOptionError(
          `handlers names ${type.name}, but no module lists that job. List ${type.name} in a module's providers, or drop the entry.`,
        );
      }
    }
    return [...jobs.values()];
  }
}
