import { ModuleRef, type DiscoveryService } from '@nestjs/core';
import type { InjectionToken } from '@nestjs/common';
import type { JobContext } from '../contracts/job-context.js';
import { Dependencies, type HostModule } from './dependencies.js';
import { contextIdOf } from './handler-resolver.js';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** The module whose providers a provider belongs to; `undefined` for some of Nest's own. */
export function hostOf({ host }: Wrapper): HostModule | undefined {
  const ref: unknown = host?.getProviderByKey(ModuleRef)?.instance;
  return host && ref instanceof ModuleRef ? { ref, name: host.name } : undefined;
}

/** One provider, as the module that lists it sees it: looked up once where it is a singleton, else made for each attempt. */
export class Provided {
  readonly #dependencies: Dependencies;

  constructor(
    private readonly host: HostModule,
    token: InjectionToken,
    where: string,
  ) {
    this.#dependencies = new Dependencies(host, [{ where, token, optional: false }]);
  }

  /** @throws InjectionError when it cannot be made */
  async prepare(): Promise<this> {
    await this.#dependencies.prepare();
    return this;
  }

  for(context: JobContext): unknown {
    if (!this.#dependencies.scoped) return this.#dependencies.values(context)[0];
    return this.#dependencies.scopedValues(context, contextIdOf(this.host.ref, context)).then(([instance]) => instance);
  }
}
