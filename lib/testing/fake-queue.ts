import type { Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { TestingModuleBuilder } from '@nestjs/testing';
import { QUEUE_RUNTIME, QUEUE_STAGE } from '../nest/tokens.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import { runtimeOf } from './module-runtime.js';
import { QueueFake } from './queue-fake.js';
import { RecordingStage } from './recording-stage.js';

export interface FakeQueueOptions {
  /** Fake these classes, and what extends them; every other job goes where it really goes. */
  readonly only?: readonly Type[];
  /** Fake every job but these. */
  readonly except?: readonly Type[];
}

/**
 * Fakes the queue of a module under test: `const moduleRef = await fakeQueue(Test.createTestingModule({ imports: [AppModule] })).compile()`.
 *
 * Jobs are checked and written down as ever, then noted instead of stored: no server is touched, nothing runs, no worker and no schedule
 * starts. `moduleRef.get(QueueFake)` tells what was dispatched. Unique locks count, in memory.
 *
 * @throws InvalidOptionError for what is no list of classes; from `compile()` where the module has no QueueModule
 */
export function fakeQueue(builder: TestingModuleBuilder, options: FakeQueueOptions = {}): TestingModuleBuilder {
  const only = classes(options.only, 'only');
  const except = classes(options.except, 'except');
  const fakes = (job: object): boolean =>
    (only?.some((type) => job instanceof type) ?? true) && !except?.some((type) => job instanceof type);
  const stage = new RecordingStage(fakes, only !== undefined || except !== undefined);
  const fake = new QueueFake(stage);
  let unwatch = (): void => undefined;
  const compile = builder.compile.bind(builder);
  builder.compile = async (...given) => {
    const moduleRef = await compile(...given);
    try {
      // What the module does in init(), which a test need not call: transactions are known from here on.
      unwatch = runtimeOf(moduleRef, 'fakeQueue()').watchTransactions();
    } catch (error) {
      await moduleRef.close();
      throw error;
    }
    return moduleRef;
  };
  return builder.overrideProvider(QUEUE_STAGE).useFactory({
    inject: [ModulesContainer],
    factory: (modules: ModulesContainer) => {
      // It is to be had by its class, which the module itself does not know.
      for (const one of modules.values()) {
        if (!one.providers.has(QUEUE_RUNTIME)) continue;
        one.addProvider({ provide: QueueFake, useValue: fake });
        one.addProvider({ provide: UNWATCH, useValue: { onApplicationShutdown: () => unwatch() } });
      }
      return stage;
    },
  });
}

/** Listens to DataSources no more: one may outlive the module. */
const UNWATCH = Symbol('nestjs-queue:unwatch');

function classes(given: unknown, option: string): readonly Type[] | undefined {
  if (given === undefined) return undefined;
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  const wrong = list.filter((one) => typeof one !== 'function');
  if (!Array.isArray(given) || wrong.length > 0) {
    throw new InvalidOptionError(
      `fakeQueue() was given ${describe(Array.isArray(given) ? wrong[0] : given)} as ${option}. Give it a list of job classes: { ${option}: [ShipOrder] }.`,
    );
  }
  return given as Type[];
}
