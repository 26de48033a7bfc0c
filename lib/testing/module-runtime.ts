import type { InjectionToken } from '@nestjs/common';
import { bootForCommand } from '../nest/queue-lifecycle.js';
import { QUEUE_RUNTIME } from '../nest/tokens.js';
import type { QueueRuntime } from '../nest/wiring.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** A testing module, or an application that was made from one. */
export interface ModuleUnderTest {
  get<T = unknown>(token: InjectionToken, options?: { strict: false }): T;
  init(): Promise<unknown>;
}

/** The queue of a module. @throws InvalidOptionError where there is none */
export function runtimeOf(moduleRef: ModuleUnderTest, asked: string): QueueRuntime {
  if (typeof (moduleRef as Partial<ModuleUnderTest> | null | undefined)?.get !== 'function')
    throw new InvalidOptionError(
      `${asked} was given ${describe(moduleRef)}. Give it what Test.createTestingModule(…).compile() resolves with.`,
    );
  try {
    return moduleRef.get<QueueRuntime>(QUEUE_RUNTIME, { strict: false });
  } catch (error) {
    throw new InvalidOptionError(
      `${asked} found no QueueModule in the module that it was given. Import QueueModule.forRoot() there.`,
      { cause: error },
    );
  }
}

/** The same once its jobs are known: calls `init()` where nobody has, without the in-app worker and without schedules. */
export async function bootedRuntime(moduleRef: ModuleUnderTest, asked: string): Promise<QueueRuntime> {
  const runtime = runtimeOf(moduleRef, asked);
  if (!runtime.registry.explored) await bootForCommand(() => moduleRef.init());
  return runtime;
}
