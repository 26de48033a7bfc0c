import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, type DynamicModule, type ModuleMetadata, type Type } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, ModulesContainer } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import type { JobContext } from '../../lib/contracts/job-context.js';
import { Handle, Job } from '../../lib/job/job.decorators.js';
import { JobRegistry } from '../../lib/job/job-registry.js';
import type { HandlerOverride } from '../../lib/nest/handler-resolver.js';
import { JobExplorer } from '../../lib/nest/job-explorer.js';
import { QUEUE_FEATURE } from '../../lib/nest/tokens.js';

@Injectable()
class Where {
  constructor(@Inject('PLACE') readonly place: string) {}
}
let constructed = 0;
@Job({ aliases: ['podcast.process'] })
class Process {
  constructor(readonly id: number) {
    constructed += 1;
  }
  @Handle()
  handle(where: Where) {
    return where.place;
  }
}
@Job()
class Other {
  handle() {}
}
class Heir extends Process {}

function feature(name: string, jobs: Type[], place = name): DynamicModule {
  const module = { [name]: class {} }[name]!;
  Module({})(module);
  return { module, providers: [...jobs, Where, { provide: 'PLACE', useValue: place }] };
}

/** One module class, several dynamic modules. */
@Module({})
class FeatureModule {
  /** Lists the jobs itself. */
  static listing(jobs: Type[]): DynamicModule {
    return { module: FeatureModule, providers: jobs };
  }
  /** As QueueModule.forFeature() does. */
  static forFeature(jobs: Type[]): DynamicModule {
    return { module: FeatureModule, providers: [{ provide: QUEUE_FEATURE, useValue: jobs }] };
  }
}

async function explore(metadata: ModuleMetadata, overrides?: readonly (readonly [Type, HandlerOverride])[]) {
  const app = await Test.createTestingModule({
    ...metadata,
    imports: [DiscoveryModule, ...(metadata.imports ?? [])],
  }).compile();
  await app.init();
  const registry = new JobRegistry();
  const exploring = new JobExplorer(
    app.get(DiscoveryService),
    app.get(ModulesContainer),
    registry,
    overrides,
  ).explore();
  return { registry, exploring };
}

describe('JobExplorer', () => {
  it('finds job classes in any module, by name and alias, and constructs none', async () => {
    constructed = 0;
    const { registry, exploring } = await explore({
      imports: [feature('Media', [Process]), FeatureModule.listing([Other])],
    });
    expect(registry.all()).toHaveLength(2);
    await exploring;
    expect(registry.find('Process')?.definition.type).toBe(Process);
    expect(registry.find('podcast.process')).toBe(registry.find('Process'));
    expect(registry.find('Other')?.definition.type).toBe(Other);
    expect(constructed).toBe(0);
  });

  it('resolves from the module that lists the class; the first one of several', async () => {
    const { registry, exploring } = await explore({
      imports: [feature('First', [Process]), feature('Second', [Process])],
    });
    await exploring;
    const scope = await registry.find('Process')!.open({} as JobContext);
    expect(scope.handle(Object.create(Process.prototype) as Process)).toBe('First');
    expect(registry.all()).toHaveLength(1);
  });

  it('takes dynamic modules, and leaves classes alone that are not jobs themselves', async () => {
    const { registry, exploring } = await explore({
      imports: [FeatureModule.listing([Other]), feature('Media', [Process])],
      providers: [{ provide: 'x', useFactory: () => 1 }],
    });
    await exploring;
    expect(registry.find(Heir.name)).toBeUndefined();
    expect(
      registry
        .all()
        .map((job) => job.definition.name)
        .sort(),
    ).toEqual(['Other', 'Process']);
  });

  it('takes the jobs of forFeature() as if the module that imports it listed them', async () => {
    const media = { ...feature('Media', []), imports: [FeatureModule.forFeature([Process])] };
    const mail = { ...feature('Mail', []), imports: [FeatureModule.forFeature([Other])] };
    const { registry, exploring } = await explore({ imports: [mail, media] });
    await exploring;
    const scope = await registry.find('Process')!.open({} as JobContext);
    expect(scope.handle(Object.create(Process.prototype) as Process)).toBe('Media');
    expect(registry.find('Other')).toBeDefined();
  });

  it('refuses #private fields', async () => {
    @Job()
    class Secretive {
      #token = 'x';
      handle() {
        return this.#token;
      }
    }
    const { exploring } = await explore({ providers: [Secretive] });
    await expect(exploring).rejects.toThrow(/Secretive uses the private field #token/);
  });

  it('refuses two classes of one name', async () => {
    @Job({ name: 'Other' })
    class Rival {
      handle() {}
    }
    const { exploring } = await explore({ providers: [Other, Rival] });
    await expect(exploring).rejects.toThrow(/Two job classes travel under the name "Other": Other and Rival/);
  });

  it('fails for a dependency that the job’s module cannot see, naming both', async () => {
    const { exploring } = await explore({ imports: [feature('Media', []), FeatureModule.listing([Process])] });
    await expect(exploring).rejects.toThrow(
      /^Process\.handle\(\), parameter 0 \(Where\): no such provider is visible in FeatureModule\. List Where in its providers, or export it/,
    );
  });

  it('hands the `handlers` entries on, and refuses one whose job nobody lists', async () => {
    const { registry, exploring } = await explore({ imports: [FeatureModule.forFeature([Process])] }, [
      [Process, () => 'instead'],
    ]);
    await exploring;
    const scope = await registry.find('Process')!.open({} as JobContext);
    expect(scope.handle({})).toBe('instead');
    const { exploring: refused } = await explore({ providers: [Other] }, [[Process, () => 'instead']]);
    await expect(refused).rejects.toThrow(/handlers names Process, but no module lists that job/);
  });
});
