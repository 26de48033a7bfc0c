import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import {
  Handle,
  InvalidOptionError,
  Job,
  JOB_REF,
  Middleware,
  Queueable,
  QueueModule,
  Tries,
  type JobContext,
  type JobMiddleware,
} from 'nestjs-queue';
import { closeApps, openApp, STORES, type Opened } from './open-app.js';

let lines: unknown[] = [];
let made = 0;

@Injectable()
class Audio {
  constructor() {
    made += 1;
  }
  encode(text: string) {
    return text.toUpperCase();
  }
}
@Injectable({ scope: Scope.REQUEST })
class PerJob {
  readonly number = ++perJob;
  constructor(@Inject(REQUEST) readonly request: JobContext) {}
}
let perJob = 0;

@Injectable()
class Audit implements JobMiddleware {
  constructor(
    readonly perJob: PerJob,
    @Inject(JOB_REF) readonly context: JobContext,
  ) {}
  async handle(_job: object, next: () => Promise<void>, context: JobContext) {
    lines.push([
      'middleware',
      this.perJob.number,
      this.context.id === context.id,
      this.perJob.request.id === context.id,
    ]);
    await next();
  }
}

@Job()
@Middleware(Audit)
class Encode extends Queueable {
  @Inject(Audio) private readonly audio!: Audio;
  constructor(readonly text: string) {
    super();
  }
  handle(@Inject(JOB_REF) context: JobContext, @Inject() perJob: PerJob) {
    lines.push(['handle', perJob.number, context.id === this.context!.id, this.audio.encode(this.text)]);
    throw new Error('for failed()');
  }
  failed(error: Error, @Inject() perJob: PerJob) {
    lines.push(['failed', perJob.number, error.message, this.audio.encode(this.text)]);
  }
}

class Named implements JobMiddleware {
  constructor(private readonly name: string) {}
  async handle(_job: object, next: () => Promise<void>) {
    lines.push(`${this.name} in`);
    await next();
    lines.push(`${this.name} out`);
  }
}
@Injectable()
class Plain extends Named {
  constructor() {
    super('injectable');
  }
}
@Job()
@Middleware(new Named('inherited'))
abstract class Base extends Queueable {}
@Job()
@Middleware(new Named('first'))
@Middleware(new Named('second'), Plain)
class Ordered extends Base {
  @Handle()
  perform(audio: Audio) {
    lines.push(audio.encode('run'));
  }
  handle() {
    lines.push('the wrong method');
  }
  middleware() {
    return [new Named('method'), Plain];
  }
}

/** A job that does without the base class. */
@Job()
@Tries(2)
class Bare {
  constructor(readonly word: string) {}
  handle(@Inject(JOB_REF) context: JobContext) {
    lines.push([this.word, context.attempts]);
    if (context.attempts === 1) context.release();
  }
}

beforeEach(() => {
  lines = [];
  made = 0;
  perJob = 0;
});
afterEach(closeApps);

describe.each(STORES)('dependencies of jobs on %s', (store) => {
  let at: Opened;
  beforeEach(async () => {
    at = await openApp(store, { providers: [Audio, PerJob, Audit, Plain, Encode, Ordered, Bare] });
  });

  it('one scope serves middleware, handler and failed(), another the next job', async () => {
    await at.bus.bulk([new Encode('a'), new Encode('b')]);
    await at.drain();
    expect(lines).toEqual([
      ['middleware', 1, true, true],
      ['handle', 1, true, 'A'],
      ['failed', 1, 'for failed()', 'A'],
      ['middleware', 2, true, true],
      ['handle', 2, true, 'B'],
      ['failed', 2, 'for failed()', 'B'],
    ]);
    expect(made).toBe(1);
  });

  it('middleware runs from the class’s parents down, then what middleware() gives, around @Handle()', async () => {
    await at.bus.dispatch(new Ordered());
    await at.drain();
    const names = ['inherited', 'first', 'second', 'injectable', 'method', 'injectable'];
    expect(lines).toEqual([...names.map((one) => `${one} in`), 'RUN', ...names.reverse().map((one) => `${one} out`)]);
  });

  it('a class without the base takes its context by JOB_REF', async () => {
    await at.bus.dispatch(new Bare('word'));
    await at.drain();
    expect(lines).toEqual([
      ['word', 1],
      ['word', 2],
    ]);
  });
});

describe('where jobs come from', () => {
  const NAME = Symbol('name');
  @Job()
  class Feature extends Queueable {
    handle(@Inject(NAME) name: string) {
      lines.push(name);
    }
  }
  @Module({
    imports: [QueueModule.forFeature([Feature])],
    providers: [{ provide: NAME, useValue: 'of the importing module' }],
  })
  class FeatureModule {}

  it('forFeature: jobs see what the importing module sees', async () => {
    const at = await openApp('memory', { imports: [FeatureModule], providers: [{ provide: NAME, useValue: 'root' }] });
    await at.bus.dispatch(new Feature());
    await at.drain();
    expect(lines).toEqual(['of the importing module']);
  });

  it('handlers replaces the call of handle; middleware and outcome stay', async () => {
    const at = await openApp('memory', {
      providers: [Ordered, Plain, Audio],
      options: {
        handlers: [
          [
            Ordered,
            (job: Ordered, moduleRef) => {
              lines.push(`override ${(moduleRef.get(Audio) as Audio).encode('x')}`);
              job.release('1m');
            },
          ],
        ],
      },
    });
    await at.bus.dispatch(new Ordered());
    await at.drain();
    expect(lines).toContain('override X');
    expect(lines).not.toContain('RUN');
    expect(lines[0]).toBe('inherited in');
    expect(await at.manager.connection().size()).toMatchObject({ delayed: 1 });
  });

  it('a job that no module lists is pointed out once, and not run', async () => {
    @Job()
    class Unlisted extends Queueable {
      handle() {}
    }
    const warnings: string[] = [];
    const at = await openApp('memory', {
      logger: { log() {}, error() {}, debug() {}, warn: (message: string) => void warnings.push(message) },
    });
    await at.bus.dispatch(new Unlisted());
    await at.bus.dispatch(new Unlisted());
    expect(warnings.filter((one) => one.includes('Unlisted'))).toHaveLength(1);
  });

  it('two classes under one name end the boot', async () => {
    @Job({ name: 'Bare' })
    class Other extends Queueable {
      handle() {}
    }
    await expect(openApp('memory', { providers: [Bare, Other] })).rejects.toThrow(InvalidOptionError);
    @Job({ aliases: ['Bare'] })
    class Alias extends Queueable {
      handle() {}
    }
    await expect(openApp('memory', { providers: [Bare, Alias] })).rejects.toThrow('"Bare"');
  });

  it('a subclass does not answer to its parent’s aliases', async () => {
    @Job({ aliases: ['Former'] })
    class Parent extends Queueable {
      handle() {
        lines.push('parent');
      }
    }
    @Job()
    class Child extends Parent {
      override handle() {
        lines.push('child');
      }
    }
    const at = await openApp('memory', { providers: [Parent, Child] });
    await at.bus.dispatch(new Child());
    await at.drain();
    expect(lines).toEqual(['child']);
  });

  it('#private fields end the boot with a hint', async () => {
    @Job()
    class Hidden extends Queueable {
      #secret = 1;
      handle() {
        lines.push(this.#secret);
      }
    }
    await expect(openApp('memory', { providers: [Hidden] })).rejects.toThrow('write "private secret" instead');
  });
});
