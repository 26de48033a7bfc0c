import type { InjectionToken, Type } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import type { EnvelopeSeals } from '../job/envelope-seals.js';
import { isCallable, isJobClass } from '../job/job.decorators.js';
import type { JobRegistry } from '../job/job-registry.js';
import { InjectionError } from './dependencies.js';
import { hostOf, Provided } from './provided.js';
import { RegisteredCalls } from './registered-calls.js';
import { RegisteredClosures, type ClosureProviders } from './registered-closures.js';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/**
 * Finds the `@Callable()` methods of all providers, and lets calls and closures run in this process.
 *
 * @throws InvalidOptionError for two classes of one name with the same callable method
 * @throws InjectionError for a service that its module cannot make
 */
export async function registerClosures(
  discovery: DiscoveryService,
  registry: JobRegistry,
  seals: EnvelopeSeals,
): Promise<void> {
  const calls = new RegisteredCalls();
  const providers = discovery.getProviders();
  const found: Promise<Provided>[] = [];
  // A class that is a token itself comes before one that stands behind another token.
  for (const byToken of [true, false]) {
    for (const wrapper of providers) {
      const type = byToken ? classOf(wrapper.token) : madeBy(wrapper);
      const methods = type && !isJobClass(type) ? callableMethods(type) : [];
      const host = methods.length > 0 ? hostOf(wrapper) : undefined;
      if (!type || !host) continue;
      const provided = new Provided(host, wrapper.token, `${type.name}, called from a queue`);
      const added = methods.filter((method) => calls.add(type.name, method, { type, module: host.name, provided }));
      if (added.length > 0) found.push(provided.prepare());
    }
  }
  registry.add(calls);
  registry.add(new RegisteredClosures(new AllProviders(providers), seals.sources));
  for (const one of await Promise.allSettled(found)) if (one.status === 'rejected') throw one.reason;
}

/** Everything that is provided in the application, looked up when the first closure asks for it. */
class AllProviders implements ClosureProviders {
  readonly #made = new Map<InjectionToken, Promise<Provided>>();

  constructor(private readonly providers: readonly Wrapper[]) {}

  byToken(token: InjectionToken): Promise<Provided> {
    let made = this.#made.get(token);
    if (!made) {
      made = this.#provided(token);
      this.#made.set(token, made);
      made.catch(() => this.#made.delete(token));
    }
    return made;
  }

  async byClassName(name: string): Promise<Provided> {
    const named = new Set(this.providers.map(({ token }) => classOf(token)).filter((type) => type?.name === name));
    const [type, other] = named;
    if (!type || other) {
      throw new InjectionError(
        `A closure injects ${name}, and ${type ? 'several classes of that name are' : 'no class of that name is'} provided in this process. ${type ? 'Provide the one that is meant under a token that is text, and inject that' : "List it in a module's providers"}.`,
        undefined,
        !type,
      );
    }
    return this.byToken(type);
  }

  async #provided(token: InjectionToken): Promise<Provided> {
    const wrapper = this.providers.find((one) => one.token === token && hostOf(one) !== undefined);
    if (!wrapper) {
      const shown = typeof token === 'function' ? token.name : String(token);
      throw new InjectionError(
        `A closure injects ${shown}, and no such provider is in this process. List it in a module's providers.`,
        undefined,
        true,
      );
    }
    return new Provided(hostOf(wrapper)!, token, 'a closure').prepare();
  }
}

function classOf(token: unknown): Type | undefined {
  return typeof token === 'function' && token.name !== '' && token.prototype ? (token as Type) : undefined;
}

/** The class behind another token: `{ provide: 'PODCASTS', useClass: Podcasts }`. A factory is no class. */
function madeBy({ token, metatype, inject }: Wrapper): Type | undefined {
  return metatype === token || inject ? undefined : classOf(metatype);
}

/** Those of its parents too. */
function callableMethods(type: Type): string[] {
  const methods = new Set<string>();
  for (
    let owner = type.prototype as object | null;
    owner && owner !== Object.prototype;
    owner = Object.getPrototypeOf(owner) as object | null
  ) {
    for (const key of Object.getOwnPropertyNames(owner)) {
      if (isCallable(type.prototype as object, key)) methods.add(key);
    }
  }
  return [...methods];
}
