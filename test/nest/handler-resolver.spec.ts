import 'reflect-metadata';
import { describe, expect, it, jest } from '@jest/globals';
import {
  forwardRef,
  Global,
  Inject,
  Injectable,
  Module,
  Optional,
  Scope,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { ModuleRef, REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { JOB_REF, type JobContext } from '../../lib/contracts/job-context.js';
import type { JobMiddleware } from '../../lib/contracts/job-middleware.js';
import { definitionOf } from '../../lib/job/job-definition.js';
import { Handle, Job, Middleware } from '../../lib/job/job.decorators.js';
import { jobRefProvider, registeredJob, type HandlerOverride } from '../../lib/nest/handler-resolver.js';
import { InjectionError } from '../../lib/nest/dependencies.js';
import { InvalidOptionError } from '../../lib/support/queue-error.js';

@Injectable()
class Audio {
  static made = 0;
  constructor() {
    Audio.made += 1;
  }
}
@Injectable()
class Slack {}
const STORAGE = Symbol('STORAGE');
interface Storage {
  readonly disk: string;
}
const storage: Storage = { disk: 'local' };
const SINGLETONS = [Audio, Slack, { provide: STORAGE, useValue: storage }];

let tracked = 0;
@Injectable({ scope: Scope.REQUEST })
class Tracker {
  readonly number = ++tracked;
  constructor(@Inject(REQUEST) readonly request: unknown) {}
}
@Injectable({ scope: Scope.TRANSIENT })
class Fresh {
  static made = 0;
  constructor() {
    Fresh.made += 1;
  }
}
@Injectable()
class Below {
  constructor(
    readonly tracker: Tracker,
    @Inject(JOB_REF) readonly job: JobContext,
  ) {}
}

@Global()
@Module({ providers: [jobRefProvider], exports: [jobRefProvider] })
class QueueLike {}

/** A small application whose one feature module lists the job, and the job as that module sees it. */
async function resolve(job: Type, metadata: ModuleMetadata = { providers: SINGLETONS }, override?: HandlerOverride) {
  @Module({ ...metadata, providers: [job, ...(metadata.providers ?? [])] })
  class Feature {}
  const app = await Test.createTestingModule({ imports: [QueueLike, Feature] }).compile();
  await app.init();
  const ref = app.select(Feature).get(ModuleRef, { strict: true });
  return { app, ref, job: registeredJob(definitionOf(job), ref, override, 'Feature') };
}

const contextOf = (id = '1'): JobContext => ({ id }) as JobContext;
const revive = <T>(type: Type<T>): T => Object.create(type.prototype as object) as T;

/** One attempt as the worker makes it; gives what the handler returned. */
async function attempt(
  job: { open: (context: JobContext) => unknown },
  type: Type,
  context = contextOf(),
): Promise<any> {
  const scope = (await job.open(context)) as {
    inject(job: object): void;
    handle(job: object): unknown;
  };
  const instance = revive(type) as object;
  scope.inject(instance);
  return scope.handle(instance);
}

describe('what a handler can take', () => {
  it('by @Inject() and @Inject(TOKEN) on parameters, as the module’s own instances', async () => {
    @Job()
    class Process {
      handle(@Inject() audio: Audio, @Inject(STORAGE) disk: Storage, @Inject() slack: Slack) {
        return [audio, disk, slack];
      }
    }
    const { app, job } = await resolve(Process);
    const made = Audio.made;
    expect(await attempt(job, Process)).toEqual([
      app.get(Audio, { strict: false }),
      storage,
      app.get(Slack, { strict: false }),
    ]);
    expect((await attempt(job, Process))[0]).toBe(app.get(Audio, { strict: false }));
    expect(Audio.made).toBe(made);
  });

  it('by one decorated parameter for all of them, and by @Handle() on another name', async () => {
    @Job()
    class One {
      handle(@Inject(STORAGE) disk: Storage, audio: Audio) {
        return [disk, audio];
      }
    }
    @Job()
    class Marked {
      @Handle()
      run(audio: Audio, slack: Slack) {
        return [audio, slack];
      }
    }
    const one = await resolve(One);
    expect(await attempt(one.job, One)).toEqual([storage, expect.any(Audio)]);
    const marked = await resolve(Marked);
    expect(await attempt(marked.job, Marked)).toEqual([expect.any(Audio), expect.any(Slack)]);
  });

  it('by properties, those of the parent included, and nothing else of the instance is touched', async () => {
    class Base {
      @Inject() readonly audio!: Audio;
      @Inject(STORAGE) readonly disk!: Storage;
    }
    @Job()
    class Process extends Base {
      @Inject() readonly slack!: Slack;
      @Optional() @Inject('NOWHERE') readonly none?: unknown;
      handle() {
        return Object.fromEntries(Object.entries(this));
      }
    }
    const { job } = await resolve(Process);
    expect(await attempt(job, Process)).toEqual({
      audio: expect.any(Audio),
      disk: storage,
      slack: expect.any(Slack),
      none: undefined,
    });
  });

  it('by properties together with parameters', async () => {
    @Job()
    class Process {
      @Inject(STORAGE) readonly disk!: Storage;
      handle(@Inject() audio: Audio, ...rest: unknown[]) {
        return [audio, this.disk, rest.length];
      }
    }
    Reflect.defineMetadata('design:paramtypes', [Audio], Process.prototype, 'handle');
    const { job } = await resolve(Process);
    expect(await attempt(job, Process)).toEqual([expect.any(Audio), storage, 0]);
  });

  it('by a list that is read late and once', async () => {
    const inject = jest.fn(() => [Audio, STORAGE]);
    @Job({ inject })
    class Process {
      handle(audio: Audio, disk: Storage) {
        return [audio, disk];
      }
    }
    const { job } = await resolve(Process);
    expect(inject).not.toHaveBeenCalled();
    expect(await attempt(job, Process)).toEqual([expect.any(Audio), storage]);
    await attempt(job, Process);
    expect(inject).toHaveBeenCalledTimes(1);
  });

  it('optionally, and by forwardRef', async () => {
    class Nowhere {}
    @Job()
    class Process {
      handle(@Optional() @Inject() none: Nowhere, @Inject(forwardRef(() => Audio)) audio: unknown) {
        return [none, audio];
      }
    }
    const { job } = await resolve(Process);
    await job.verify();
    expect(await attempt(job, Process)).toEqual([undefined, expect.any(Audio)]);
  });

  it('from an inherited handler; an overriding one without parameters takes nothing of the parent’s', async () => {
    class Base {
      handle(@Inject(STORAGE) disk: unknown): unknown {
        return [disk];
      }
    }
    @Job()
    class Same extends Base {}
    @Job()
    class Other extends Base {
      override handle(...given: unknown[]) {
        return given;
      }
    }
    expect(await attempt((await resolve(Same)).job, Same)).toEqual([storage]);
    expect(await attempt((await resolve(Other)).job, Other)).toEqual([]);
  });

  it('the job’s context, as JOB_REF and as REQUEST, without a context of the container', async () => {
    @Job()
    class Process {
      @Inject(JOB_REF) readonly ref!: JobContext;
      handle(@Inject(JOB_REF) context: JobContext, @Inject(REQUEST) request: unknown, @Inject() audio: Audio) {
        return [context, request, this.ref, audio];
      }
    }
    const { ref, job } = await resolve(Process);
    await job.verify();
    const registering = jest.spyOn(ref, 'registerRequestByContextId');
    const create = jest.spyOn(ref, 'create');
    const [a, b] = [contextOf('a'), contextOf('b')];
    expect(job.open(a)).not.toBeInstanceOf(Promise);
    expect(await attempt(job, Process, a)).toEqual([a, a, a, expect.any(Audio)]);
    expect((await attempt(job, Process, b))[0]).toBe(b);
    expect(registering).not.toHaveBeenCalled();
    expect(create).not.toHaveBeenCalled();
  });

  it('sees what its module sees in a test that replaces a provider', async () => {
    @Job()
    class Process {
      handle(@Inject() audio: Audio) {
        return audio;
      }
    }
    @Module({ providers: [Process, Audio] })
    class Feature {}
    const app = await Test.createTestingModule({ imports: [Feature] })
      .overrideProvider(Audio)
      .useValue('fake')
      .compile();
    const job = registeredJob(definitionOf(Process), app.select(Feature).get(ModuleRef, { strict: true }));
    expect(await attempt(job, Process)).toBe('fake');
  });
});

describe('static dependencies', () => {
  it('are looked up once; after that open() answers at once, with one scope for all', async () => {
    @Job()
    class Process {
      handle(@Inject() audio: Audio, @Inject(STORAGE) disk: Storage) {
        return [audio, disk];
      }
    }
    const { ref, job } = await resolve(Process);
    const create = jest.spyOn(ref, 'create');
    const opening = [job.open(contextOf()), job.open(contextOf())];
    expect(opening[0]).toBeInstanceOf(Promise);
    for (const one of opening) await one;
    const looked = create.mock.calls.length;
    expect(looked).toBe(2);
    const scope = job.open(contextOf());
    expect(scope).not.toBeInstanceOf(Promise);
    expect(job.open(contextOf())).toBe(scope);
    expect(create).toHaveBeenCalledTimes(looked);
  });

  it('a spy on the prototype is seen; a field of the same name from a store is not called', async () => {
    @Job()
    class Process {
      handle(@Inject() audio: Audio): unknown {
        return audio;
      }
    }
    const { job } = await resolve(Process);
    await job.verify();
    const scope = await job.open(contextOf());
    const revived = Object.assign(revive(Process), { handle: () => 'from the store' });
    expect(scope.handle(revived)).toBeInstanceOf(Audio);
    jest.spyOn(Process.prototype, 'handle').mockReturnValue('spied');
    expect(scope.handle(revived)).toBe('spied');
  });
});

describe('scoped dependencies', () => {
  it('one context for handler, properties, middleware and failed() of an attempt; a new one for the next', async () => {
    @Injectable()
    class Audit implements JobMiddleware {
      constructor(readonly tracker: Tracker) {}
      async handle(_job: object, next: () => Promise<void>): Promise<void> {
        await next();
      }
    }
    @Job()
    @Middleware(Audit)
    class Process {
      @Inject() readonly mine!: Tracker;
      handle(@Inject() tracker: Tracker, @Inject() audio: Audio) {
        return { tracker, mine: this.mine, audio };
      }
      failed(_error: Error, @Inject() tracker: Tracker, @Inject() slack: Slack) {
        return { tracker, mine: this.mine, slack };
      }
    }
    const { app, job } = await resolve(Process, { providers: [...SINGLETONS, Tracker, Audit] });
    await job.verify();
    tracked = 0;
    const context = contextOf();
    const scope = await job.open(context);
    const instance = revive(Process);
    scope.inject(instance);
    const audit = (await scope.middleware(Audit)) as Audit;
    const handled = scope.handle(instance) as { tracker: Tracker; mine: Tracker; audio: Audio };
    // A failed job is opened once more, for a fresh instance.
    const again = await job.open(context);
    const fresh = revive(Process);
    again.inject(fresh);
    const failed = (await again.failed(fresh, new Error('x'))) as { tracker: Tracker; mine: Tracker; slack: Slack };
    for (const one of [handled.mine, failed.tracker, failed.mine, audit.tracker]) expect(one).toBe(handled.tracker);
    expect(handled.tracker.request).toBe(context);
    expect(handled.audio).toBe(app.get(Audio, { strict: false }));
    expect(failed.slack).toBe(app.get(Slack, { strict: false }));
    expect(tracked).toBe(1);
    const next = contextOf('2');
    expect((await attempt(job, Process, next)).tracker.request).toBe(next);
    expect(tracked).toBe(2);
  });

  it('is not made at boot; a transient one is made anew for each attempt', async () => {
    @Job()
    class Process {
      handle(@Inject() tracker: Tracker, @Inject() fresh: Fresh) {
        return [tracker, fresh];
      }
    }
    const { job } = await resolve(Process, { providers: [Tracker, Fresh] });
    tracked = 0;
    await job.verify();
    expect(tracked).toBe(0);
    const made = Fresh.made;
    const [first, second] = [await attempt(job, Process), await attempt(job, Process, contextOf('2'))];
    expect(first[1]).not.toBe(second[1]);
    expect(Fresh.made).toBe(made + 2);
    expect(tracked).toBe(2);
  });

  it('below a singleton-looking service, with JOB_REF there; a durable provider is made for each attempt', async () => {
    let durable = 0;
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Tenant {
      readonly number = ++durable;
    }
    @Job()
    class Process {
      handle(@Inject() below: Below, @Inject() tenant: Tenant) {
        return [below, tenant.number];
      }
    }
    const { job } = await resolve(Process, { providers: [Below, Tracker, Tenant] });
    await job.verify();
    for (const id of ['a', 'b']) {
      const context = contextOf(id);
      const [below] = await attempt(job, Process, context);
      expect(below.job).toBe(context);
      expect(below.tracker.request).toBe(context);
    }
    expect(durable).toBe(2);
  });

  it('a request-scoped factory that answers with equal values is still asked each time', async () => {
    const NAME = 'NAME';
    let asked = 0;
    @Job()
    class Process {
      handle(@Inject(NAME) name: string) {
        return name;
      }
    }
    const provider = {
      provide: NAME,
      scope: Scope.REQUEST,
      inject: [REQUEST],
      useFactory: (job: JobContext) => (asked++, job.id),
    };
    const { job } = await resolve(Process, { providers: [provider] });
    expect([await attempt(job, Process, contextOf('x')), await attempt(job, Process, contextOf('x'))]).toEqual([
      'x',
      'x',
    ]);
    expect(await attempt(job, Process, contextOf('y'))).toBe('y');
    expect(asked).toBe(3);
  });

  it('JOB_REF is undefined outside a job', async () => {
    const app = await Test.createTestingModule({ imports: [QueueLike], providers: [Below, Tracker] }).compile();
    expect((await app.resolve(Below)).job).toBeUndefined();
  });

  it('when making one fails the attempt cannot be opened, and the next one tries again', async () => {
    let broken = true;
    @Job()
    class Process {
      handle(@Inject('CONNECTION') connection: string) {
        return connection;
      }
    }
    const useFactory = () => {
      if (broken) throw new Error('no route');
      return 'open';
    };
    const { job } = await resolve(Process, {
      providers: [{ provide: 'CONNECTION', scope: Scope.REQUEST, useFactory }],
    });
    await job.verify();
    await expect(attempt(job, Process)).rejects.toThrow('no route');
    broken = false;
    expect(await attempt(job, Process)).toBe('open');
  });
});

describe('middleware classes', () => {
  class Base implements JobMiddleware {
    async handle(_job: object, next: () => Promise<void>): Promise<void> {
      await next();
    }
  }
  @Injectable()
  class Listed extends Base {}
  @Injectable()
  class Unlisted extends Base {
    static made = 0;
    @Inject(STORAGE) readonly disk!: Storage;
    constructor(readonly audio: Audio) {
      super();
      Unlisted.made += 1;
    }
  }
  @Injectable()
  class Contextual extends Base {
    constructor(@Inject(JOB_REF) readonly context: JobContext) {
      super();
    }
  }
  @Injectable({ scope: Scope.TRANSIENT })
  class EachTime extends Base {}

  it('are the module’s own where it has them, else made once with its dependencies', async () => {
    @Job()
    @Middleware(Listed, Unlisted, new Base())
    class Process {
      handle() {}
    }
    const { app, job } = await resolve(Process, { providers: [...SINGLETONS, Listed] });
    await job.verify();
    expect(Unlisted.made).toBe(1);
    const scope = await job.open(contextOf());
    expect(scope.middleware(Listed)).toBe(app.get(Listed, { strict: false }));
    const unlisted = scope.middleware(Unlisted) as Unlisted;
    expect(unlisted.audio).toBe(app.get(Audio, { strict: false }));
    expect(unlisted.disk).toBe(storage);
    expect((await job.open(contextOf('2'))).middleware(Unlisted)).toBe(unlisted);
    expect(job.open(contextOf('2'))).toBe(scope);
  });

  it('are made for each attempt where they take its context or are transient', async () => {
    @Job()
    @Middleware(Contextual, EachTime)
    class Process {
      handle() {}
    }
    const { job } = await resolve(Process, {});
    const [a, b] = [contextOf('a'), contextOf('b')];
    const scopes = [await job.open(a), await job.open(b)];
    expect(((await scopes[0]!.middleware(Contextual)) as Contextual).context).toBe(a);
    expect(((await scopes[1]!.middleware(Contextual)) as Contextual).context).toBe(b);
    expect(await scopes[0]!.middleware(EachTime)).not.toBe(await scopes[1]!.middleware(EachTime));
  });

  it('named only by middleware() are resolved when they first come', async () => {
    @Job()
    class Process {
      middleware() {
        return [Contextual];
      }
      handle() {}
    }
    const { job } = await resolve(Process, {});
    await job.verify();
    const context = contextOf();
    expect(((await (await job.open(context)).middleware(Contextual)) as Contextual).context).toBe(context);
  });

  it('that miss a dependency fail the boot by name', async () => {
    @Job()
    @Middleware(Unlisted)
    class Process {
      handle() {}
    }
    const { job } = await resolve(Process, {});
    await expect(job.verify()).rejects.toThrow(
      /^Unlisted, constructor parameter 0 \(Audio\): no such provider is visible in Feature\./,
    );
  });
});

describe('failed()', () => {
  it('takes its dependencies after the error', async () => {
    @Job()
    class Process {
      handle() {}
      failed(error: Error | null, @Inject() slack: Slack, @Inject(STORAGE) disk: Storage) {
        return [error, slack, disk];
      }
    }
    const { job } = await resolve(Process);
    const error = new Error('x');
    const scope = await job.open(contextOf());
    expect(scope.failed(revive(Process), error)).toEqual([error, expect.any(Slack), storage]);
    expect(scope.failed(revive(Process), null)).toEqual([null, expect.any(Slack), storage]);
  });

  it('may be missing, and may take the error alone', async () => {
    @Job()
    class Without {
      handle() {}
    }
    @Job()
    class Alone {
      handle() {}
      failed(error: Error | null) {
        return error;
      }
    }
    expect((await (await resolve(Without)).job.open(contextOf())).failed(revive(Without), null)).toBeUndefined();
    expect((await (await resolve(Alone)).job.open(contextOf())).failed(revive(Alone), null)).toBeNull();
  });
});

describe('tokens on parameters of handle and failed', () => {
  const boot = async (type: Type) => {
    const { job } = await resolve(type);
    await job.verify();
    const scope = await job.open(contextOf());
    return [scope.handle(revive(type) as object), scope.failed(revive(type) as object, null)];
  };

  it('by type in both, at the same index', async () => {
    @Job()
    class Both {
      handle(@Inject() audio: Audio, @Inject() slack: Slack) {
        return [audio, slack];
      }
      failed(_error: Error | null, @Inject() audio: Audio) {
        return [audio];
      }
    }
    expect(await boot(Both)).toEqual([[expect.any(Audio), expect.any(Slack)], [expect.any(Audio)]]);
  });

  it('a token that only one of them reaches is its', async () => {
    @Job()
    class First {
      handle(@Inject(STORAGE) disk: Storage) {
        return disk;
      }
      failed(_error: Error | null, @Inject() slack: Slack) {
        return slack;
      }
    }
    @Job()
    class Later {
      handle(@Inject() audio: Audio) {
        return audio;
      }
      failed(_error: Error | null, @Inject() slack: Slack, @Inject(STORAGE) disk: Storage) {
        return [slack, disk];
      }
    }
    expect(await boot(First)).toEqual([storage, expect.any(Slack)]);
    expect(await boot(Later)).toEqual([expect.any(Audio), [expect.any(Slack), storage]]);
  });

  it('a token at an index that both reach goes to the one whose type says nothing', async () => {
    @Job()
    class Mixed {
      handle(@Inject() audio: Audio, @Inject(STORAGE) disk: Storage) {
        return [audio, disk];
      }
      failed(_error: Error | null, @Inject() slack: Slack) {
        return slack;
      }
    }
    expect(await boot(Mixed)).toEqual([[expect.any(Audio), storage], expect.any(Slack)]);
  });

  it('the other method is out when it has no decorators', async () => {
    @Job()
    class Plain {
      handle(@Inject(STORAGE) disk: Storage) {
        return disk;
      }
      failed(error: Error | null) {
        return error;
      }
    }
    expect(await boot(Plain)).toEqual([storage, null]);
  });

  it('the same token at the same index in both is no question', async () => {
    @Job()
    class Same {
      handle(@Inject() audio: Audio, @Inject(STORAGE) disk: Storage) {
        return [audio, disk];
      }
      failed(_error: Error | null, @Inject(STORAGE) disk: Storage) {
        return disk;
      }
    }
    expect(await boot(Same)).toEqual([[expect.any(Audio), storage], storage]);
  });

  it('two tokens at one index fail the boot with the rule and the way out; `inject` is one', async () => {
    @Job()
    class Torn {
      handle(@Inject() audio: Audio, @Inject(STORAGE) disk: Storage) {
        return [audio, disk];
      }
      failed(_error: Error | null, @Inject('OTHER') other: unknown) {
        return other;
      }
    }
    @Job({ inject: () => [Audio, STORAGE] })
    class Listed {
      handle(audio: Audio, disk: Storage) {
        return [audio, disk];
      }
      failed(_error: Error | null, @Inject('OTHER') other: unknown) {
        return other;
      }
    }
    const { job } = await resolve(Torn);
    const refusal = await job.verify().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(refusal).toBeInstanceOf(InvalidOptionError);
    expect((refusal as Error).message).toBe(
      "Torn: @Inject(TOKEN) at parameter 1 could belong to handle() or to failed(), since Nest keeps it by its index alone. Take that dependency as a property (@Inject(TOKEN) private readonly x!: X), or list the handler's: @Job({ inject: () => [X, TOKEN] }).",
    );
    const listed = await resolve(Listed, { providers: [...SINGLETONS, { provide: 'OTHER', useValue: 7 }] });
    const scope = await listed.job.open(contextOf());
    expect(scope.handle(revive(Listed))).toEqual([expect.any(Audio), storage]);
    expect(scope.failed(revive(Listed), null)).toBe(7);
  });

  it('one token that either could have fails the boot, and so does such an @Optional()', async () => {
    @Job()
    class Either {
      handle(@Inject() audio: Audio, @Inject(Audio) slack: Slack) {
        return [audio, slack];
      }
      failed(_error: Error | null, @Inject() slack: Slack) {
        return slack;
      }
    }
    @Job()
    class Maybe {
      handle(@Inject() audio: Audio, @Optional() @Inject() slack: Slack) {
        return [audio, slack];
      }
      failed(_error: Error | null, @Inject() slack: Slack) {
        return slack;
      }
    }
    await expect((await resolve(Either)).job.verify()).rejects.toThrow(/@Inject\(TOKEN\) at parameter 1 could belong/);
    await expect((await resolve(Maybe)).job.verify()).rejects.toThrow(/@Optional\(\) at parameter 1 could belong/);
  });

  it('a parent’s handler and a child’s failed() do not get mixed up', async () => {
    class Base {
      handle(@Inject() audio: Audio, @Inject(STORAGE) disk: Storage): unknown {
        return [audio, disk];
      }
    }
    @Job()
    class Child extends Base {
      failed(_error: Error | null, @Inject('OTHER') other: unknown) {
        return other;
      }
    }
    const { job } = await resolve(Child, { providers: [...SINGLETONS, { provide: 'OTHER', useValue: 7 }] });
    const scope = await job.open(contextOf());
    expect(scope.handle(revive(Child))).toEqual([expect.any(Audio), storage]);
    expect(scope.failed(revive(Child), null)).toBe(7);
  });
});

describe('what cannot be injected', () => {
  const refusal = async (type: Type, metadata?: ModuleMetadata): Promise<Error> => {
    const { job } = await resolve(type, metadata ?? {});
    return job.verify().then(
      () => new Error('it booted'),
      (error: unknown) => error as Error,
    );
  };

  it('a parameter that nothing is known of names the three ways', async () => {
    @Job()
    class Bare {
      handle(audio: Audio) {
        return audio;
      }
    }
    @Job()
    class BareFailed {
      handle() {}
      failed(_error: Error | null, slack: Slack) {
        return slack;
      }
    }
    const handle = await refusal(Bare);
    expect(handle).toBeInstanceOf(InvalidOptionError);
    expect(handle.message).toMatch(
      /^Bare\.handle\(\), parameter 0: .*@Handle\(\).*@Inject\(\).*@Job\(\{ inject: \(\) => \[X\] \}\)/,
    );
    expect((await refusal(BareFailed)).message).toMatch(/^BareFailed\.failed\(\), parameter 1: /);
  });

  it('a missing provider is named with its place, its type and the module; one that is not exported too', async () => {
    @Module({ providers: [Audio] })
    class Private {}
    @Job()
    class Process {
      handle(@Inject(STORAGE) disk: Storage, @Inject() audio: Audio) {
        return [disk, audio];
      }
    }
    const error = await refusal(Process, { imports: [Private], providers: [{ provide: STORAGE, useValue: storage }] });
    expect(error).toBeInstanceOf(InjectionError);
    expect(error.message).toBe(
      'Process.handle(), parameter 1 (Audio): no such provider is visible in Feature. List Audio in its providers, or export it from the module that has it and import that module in Feature.',
    );
    expect((error.cause as Error).message).toContain(
      "Nest can't resolve dependencies of the Process.handle(), parameter 1",
    );
  });

  it('so is a request-scoped one, although nothing is made at boot', async () => {
    @Module({ providers: [Tracker] })
    class Private {}
    @Job()
    class Process {
      handle(@Inject() tracker: Tracker) {
        return tracker;
      }
    }
    expect((await refusal(Process, { imports: [Private] })).message).toMatch(
      /parameter 0 \(Tracker\): no such provider is visible in Feature/,
    );
  });

  it('an interface, a circular import, a list that is too short', async () => {
    @Job()
    class Vague {
      handle(@Inject() disk: Storage) {
        return disk;
      }
    }
    @Job({ inject: () => [undefined as unknown as Type] })
    class Circular {
      handle(audio: unknown) {
        return audio;
      }
    }
    @Job({ inject: () => [Audio] })
    class Short {
      handle(audio: Audio, slack: Slack) {
        return [audio, slack];
      }
    }
    expect((await refusal(Vague)).message).toMatch(
      /^Vague\.handle\(\), parameter 0 \(Object\): the compiler keeps no type for it/,
    );
    expect((await refusal(Circular)).message).toMatch(
      /^Circular\.handle\(\), parameter 0: its type was not known .*two files import each other/,
    );
    expect((await refusal(Short, { providers: SINGLETONS })).message).toMatch(/takes 2 parameters, but .* names 1\./);
  });
});

describe('a handlers entry', () => {
  it('replaces the call of the handler alone', async () => {
    @Job()
    class Process {
      @Inject(STORAGE) readonly disk!: Storage;
      handle(audio: Audio, greeting: string) {
        return [audio, greeting, this.disk];
      }
      failed(_error: Error | null, @Inject() slack: Slack) {
        return slack;
      }
    }
    const { job } = await resolve(Process, { providers: SINGLETONS }, (one: Process, ref) =>
      one.handle(ref.get(Audio), 'hello'),
    );
    await job.verify();
    expect(await attempt(job, Process)).toEqual([expect.any(Audio), 'hello', storage]);
    expect((await job.open(contextOf())).failed(revive(Process), null)).toBeInstanceOf(Slack);
  });
});
