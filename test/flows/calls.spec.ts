import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, Scope } from '@nestjs/common';
import libsql from 'libsql';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';
import {
  call,
  Callable,
  InvalidOptionError,
  InvalidPayloadError,
  Job,
  JOB_REF,
  JobFailed,
  JobProcessed,
  NotAJobError,
  Queueable,
  SignatureError,
  UnknownJobError,
  UnserializableError,
  type JobContext,
  type JobEnvelope,
  type QueueableJob,
  type QueueModuleOptions,
} from 'nestjs-queue';
import { onStores } from './on-stores.js';
import { closeApps, openApp, until, type Opened } from './open-app.js';

const KEY = 'a key of more than thirty-two characters';
const ELSEWHERE = '018f2d0e-7d0a-7d3e-9a55-0d6c6a2f1b11';

let ran: unknown[] = [];
let broken = false;

@Injectable()
class Clock {
  readonly year = 2030;
}
@Injectable()
class Podcasts {
  constructor(@Inject(Clock) private readonly clock: Clock) {}
  @Callable() publish(id: number, at?: Date): string {
    if (broken) throw new Error(`no ${id}`);
    ran.push([id, this.clock.year, ...(at ? [at.getUTCFullYear()] : [])]);
    return `published ${id}`;
  }
  @Callable() async both(one: number, other: { readonly name: string }): Promise<void> {
    await Promise.resolve();
    ran.push([one, other.name]);
  }
  drop(id: number): void {
    ran.push(['dropped', id]);
  }
}
@Entity()
class Show {
  @PrimaryColumn('int') id!: number;
  @Column({ type: 'varchar' }) title!: string;
}
@Injectable()
class Shows {
  @Callable() air(show: Show, _times: number): void {
    if (show instanceof Show) ran.push(show.title);
  }
}
@Injectable()
class Archive extends Podcasts {}
@Injectable({ scope: Scope.REQUEST })
class Tracked {
  constructor(
    @Inject(JOB_REF) private readonly job: JobContext,
    @Inject(Clock) private readonly clock: Clock,
  ) {}
  @Callable() look(label: string): void {
    ran.push([label, this.job.displayName, this.job.attempts, this.clock.year]);
    if (this.job.attempts === 1) this.job.release();
  }
}
@Job()
class Listed extends Queueable {
  @Callable() handle(): void {}
}
const SERVICES = [Clock, Podcasts, Archive, Tracked, Listed];

beforeEach(() => {
  ran = [];
  broken = false;
});
afterEach(closeApps);

const openWith = (connection: object, options: Partial<QueueModuleOptions> = {}): Promise<Opened> =>
  openApp('memory', {
    providers: SERVICES,
    options: { default: 'main', connections: { main: connection as never }, ...options },
  });
const failures = ({ seen }: Opened): Error[] =>
  seen.filter((one): one is JobFailed => one instanceof JobFailed).map(({ error }) => error);
const waiting = async (at: Opened): Promise<JobEnvelope> =>
  (await at.manager.connection().pendingJobs())[0]!.payload as JobEnvelope;

function flows(connection: () => object): void {
  const open = (options?: Partial<QueueModuleOptions>): Promise<Opened> => openWith(connection(), options);
  const swapped = async (at: Opened, body: object, id?: string): Promise<void> => {
    const main = at.manager.connection();
    await main.clear();
    if (id === undefined) await main.pushRaw(JSON.stringify(body));
    else await main.pushEntries([{ id, queue: 'default', body: JSON.stringify(body), delayMs: 0 }]);
  };

  afterEach(async () => {
    const at = await open();
    await at.manager.connection().clear();
    await at.failed.flush();
    await closeApps();
  });

  it('reach the method of the service, with arguments of any kind a job may carry', async () => {
    const at = await open();
    const receipt = await at.bus.dispatch(call(Podcasts, 'publish', 7, new Date('2031-01-01')));
    expect(receipt).toMatchObject({ connection: 'main', queue: 'default' });
    expect(await waiting(at)).toMatchObject({ name: '@call', displayName: 'Podcasts.publish' });
    await at.drain();
    expect(ran).toEqual([[7, 2030, 2031]]);
    expect(at.names()).toEqual(['JobPopped', 'JobProcessing', 'JobProcessed', 'JobAttempted']);
    expect(await at.manager.connection().size()).toMatchObject({ total: 0 });
  });

  it('go by bulk, with a delay, to a queue, under a label', async () => {
    const at = await open();
    await at.bus.bulk([call(Podcasts, 'publish', 1), call(Archive, 'publish', 2).onQueue('media').name('The second')]);
    await at.bus
      .dispatch(call(Podcasts, 'publish', 3))
      .onQueue('media')
      .delay(3600);
    const main = at.manager.connection();
    expect((await main.pendingJobs('media')).map(({ name }) => name)).toEqual(['The second']);
    expect((await main.delayedJobs('media')).map(({ name }) => name)).toEqual(['Podcasts.publish']);
    await at.drain({ queues: ['default', 'media'] });
    expect(ran).toEqual([
      [1, 2030],
      [2, 2030],
    ]);
    await main.clear('media');
  });

  it('retry, fail, are recorded, and run again by hand', async () => {
    broken = true;
    const at = await open();
    const receipt = await at.bus.dispatch(call(Podcasts, 'publish', 7));
    await at.drain({ tries: 2 });
    expect(failures(at).map(({ message }) => message)).toEqual(['no 7']);
    expect(at.names().filter((one) => one === 'JobReleasedAfterException' || one === 'JobFailed')).toEqual([
      'JobReleasedAfterException',
      'JobFailed',
    ]);
    const [record] = await at.failed.all();
    expect(record).toMatchObject({ id: receipt!.id, name: '@call', displayName: 'Podcasts.publish' });
    broken = false;
    expect(await at.failed.retry(record!.id)).toBe(true);
    await at.drain();
    expect(ran).toEqual([[7, 2030]]);
    expect(await at.failed.count()).toBe(0);
  });

  it('make a request-scoped service for each attempt, which knows its job', async () => {
    const at = await open();
    await at.bus.dispatch(call(Tracked, 'look', 'here'));
    await at.drain({ tries: 5 });
    expect(ran).toEqual([
      ['here', 'Tracked.look', 1, 2030],
      ['here', 'Tracked.look', 2, 2030],
    ]);
  });

  it('are recorded where this process does not know them, after a few looks', async () => {
    const at = await open();
    await at.bus.dispatch(call(Podcasts, 'publish', 7));
    const body = await waiting(at);
    await swapped(at, { ...body, data: { service: 'Podcasts', method: 'drop', args: [7] } });
    await at.drain({ unknownJobTries: 1 });
    expect(ran).toEqual([]);
    expect(failures(at)).toEqual([expect.any(UnknownJobError)]);
    expect(failures(at)[0]!.message).toMatch(/Podcasts with a method drop marked @Callable\(\)/);
    expect(await at.failed.count()).toBe(1);
    await at.bus.dispatch(call(Podcasts, 'publish', 7));
    await swapped(at, { ...(await waiting(at)), data: { service: 'Elsewhere', method: 'publish', args: [7] } });
    await at.drain();
    // Another process may know it.
    expect(await at.manager.connection().size()).toMatchObject({ delayed: 1 });
    expect(ran).toEqual([]);
  });

  it.each<[string, (body: JobEnvelope) => object, string?]>([
    ['other arguments', (one) => ({ ...one, data: { ...(one.data as object), args: [8] } })],
    ['another method', (one) => ({ ...one, data: { ...(one.data as object), method: 'both' } })],
    ['another service', (one) => ({ ...one, data: { ...(one.data as object), service: 'Archive' } })],
    ['another label', (one) => ({ ...one, displayName: 'Podcasts.drop' })],
    ['another id', (one) => one, ELSEWHERE],
    ['another id, which the body says too', (one) => ({ ...one, uuid: ELSEWHERE }), ELSEWHERE],
    ['no signature', ({ signature: _own, ...one }) => one],
    ['another scheme', (one) => ({ ...one, signature: one.signature!.replace('v1', 'none') })],
    ['the name of a job', (one) => ({ ...one, name: 'Listed' })],
  ])('are signed where there is a key, and refused with %s', async (_, change, ...[id]) => {
    const at = await open({ key: KEY });
    await at.bus.dispatch(call(Podcasts, 'publish', 7));
    const body = await waiting(at);
    expect(body.signature).toMatch(/^v1\./);
    await swapped(at, change(body), id);
    await at.drain({ tries: 5 });
    expect(ran).toEqual([]);
    expect(failures(at)).toEqual([expect.any(SignatureError)]);
    expect(await at.failed.count()).toBe(1);
  });

  it.each<[string, Partial<QueueModuleOptions>]>([
    ['unsigned', {}],
    ['signed', { key: KEY }],
  ])('are steps and callbacks of chains, %s', async (_, options) => {
    const at = await open(options);
    await at.bus.chain([call(Podcasts, 'publish', 1), call(Podcasts, 'publish', 2)]).dispatch();
    await at.drain();
    broken = true;
    await at.bus.dispatch(call(Podcasts, 'publish', 3).catch(call(Podcasts, 'both', 4, { name: 'own' })));
    await at.bus.dispatch(call(Podcasts, 'publish', 5)).catch(call(Podcasts, 'both', 6, { name: 'given' }));
    await at.drain({ tries: 1 });
    expect(ran).toEqual([
      [1, 2030],
      [2, 2030],
      [4, 'own'],
      [6, 'given'],
    ]);
  });

  it('of a signed body run as they were sent', async () => {
    const at = await open({ key: KEY });
    await at.bus.dispatch(call(Podcasts, 'publish', 7));
    await at.bus.bulk([call(Podcasts, 'both', 1, { name: 'two' })]);
    await at.drain();
    expect(ran).toEqual([
      [7, 2030],
      [1, 'two'],
    ]);
  });
}

describe('calls on memory', () => {
  flows(() => ({ driver: 'memory' }));
});
onStores('calls', flows);

describe('a call', () => {
  let at: Opened;
  beforeEach(async () => {
    at = await openWith({ driver: 'memory' });
  });

  it.each<[string, QueueableJob, RegExp]>([
    ['of a method without @Callable()', call(Podcasts, 'drop', 1), /Put @Callable\(\) on the method drop of Podcasts/],
    ['of a job', call(Listed, 'handle'), /new Listed\(/],
    ['of the constructor', call(Podcasts, 'constructor' as never), /not marked/],
    ['of __proto__', call(Podcasts, '__proto__' as never), /not marked/],
    ['of toString', call(Podcasts, 'toString' as never), /not marked/],
    ['of a symbol', call(Podcasts, Symbol('x') as never), /the name of one of its methods/],
    ['without a class', call('Podcasts' as never, 'publish' as never), /Give a class/],
    ['of nothing', call(undefined as never, 'publish' as never), /Give a class/],
    ['of a class without a name', call((() => class {})() as never, 'x' as never), /Give a class/],
  ])('%s is refused at dispatch', async (_, job, why) => {
    await expect(at.bus.dispatch(job)).rejects.toThrow(why);
    await expect(at.bus.dispatch(job)).rejects.toThrow(NotAJobError);
    await expect(at.bus.bulk([job])).rejects.toThrow(NotAJobError);
    await expect(at.bus.dispatchSync(job)).rejects.toThrow(NotAJobError);
    expect(() => at.bus.dispatchAfterResponse(job)).toThrow(NotAJobError);
    expect(await at.manager.connection().size()).toMatchObject({ total: 0 });
  });

  it('carries only what a job may carry, and says where something else is', async () => {
    const given = call(Podcasts, 'both', 1, { name: (() => {}) as never });
    await expect(at.bus.dispatch(given)).rejects.toThrow(UnserializableError);
    await expect(at.bus.dispatch(given)).rejects.toThrow(/^Podcasts\.both\.args\[1\]\.name is a function/);
  });

  it.each([
    ['__proto__', 'publish'],
    ['constructor', 'constructor'],
    ['Podcasts', '__proto__'],
    ['Podcasts', 'constructor'],
    ['Podcasts', 'toString'],
    ['Podcasts', 'hasOwnProperty'],
    ['Object', 'toString'],
    ['Clock', 'year'],
    ['Listed', 'handle'],
    ['', ''],
  ])('from a store reaches no method by %s.%s', async (service, method) => {
    const body = { v: 1, uuid: ELSEWHERE, name: '@call', displayName: 'x', createdAt: 1 };
    await at.manager.connection().pushRaw(JSON.stringify({ ...body, data: { service, method, args: [] } }));
    await at.drain({ unknownJobTries: 1 });
    expect(failures(at)).toEqual([expect.any(UnknownJobError)]);
    expect(ran).toEqual([]);
  });

  it.each<[string, object]>([
    ['nothing', {}],
    ['a service that is no text', { service: ['Podcasts'], method: 'publish', args: [] }],
    ['no method', { service: 'Podcasts', args: [] }],
    ['no arguments', { service: 'Podcasts', method: 'publish' }],
    ['arguments that are no list', { service: 'Podcasts', method: 'publish', args: { length: 1, 0: 1 } }],
    ['a tagged body of nothing', { $t: 'Fields', v: null }],
    ['a tagged body of no kind', { $t: 'Nothing' }],
  ])('from a store with %s is recorded at once', async (_, data) => {
    const body = { v: 1, uuid: ELSEWHERE, name: '@call', displayName: 'x', createdAt: 1, data };
    await at.manager.connection().pushRaw(JSON.stringify(body));
    await at.drain({ tries: 5 });
    expect(failures(at)).toEqual([expect.any(InvalidPayloadError)]);
    expect(ran).toEqual([]);
  });

  it('runs here and now, and gives what the method returned', async () => {
    expect(await at.bus.dispatchSync(call(Podcasts, 'publish', 7))).toBe('published 7');
    await at.bus.dispatch(call(Podcasts, 'publish', 8)).onConnection('sync');
    at.bus.dispatchAfterResponse(call(Podcasts, 'publish', 9));
    await at.bus.dispatch(call(Podcasts, 'publish', 10)).onConnection('deferred');
    await until(() => ran.length === 4);
    expect(ran.map((one) => (one as number[])[0])).toEqual([7, 8, 9, 10]);
    broken = true;
    await expect(at.bus.dispatchSync(call(Podcasts, 'publish', 11))).rejects.toThrow('no 11');
  });

  it('cannot be run by hand', () => {
    expect(() => call(Podcasts, 'publish', 1).handle()).toThrow(/Podcasts\.publish cannot be run by hand/);
    expect(() => call(Podcasts, 'publish', 1).name('')).toThrow(InvalidOptionError);
    expect(() => call(Podcasts, 'publish', 1).catch(undefined as never)).toThrow(InvalidOptionError);
  });

  it('is told to the events under its label', async () => {
    await at.bus.dispatch(call(Podcasts, 'publish', 1).name('Publishing')).onConnection('sync');
    const done = at.seen.find((one): one is JobProcessed => one instanceof JobProcessed);
    expect(done!.job.displayName).toBe('Publishing');
  });
});

describe('the entities in a call', () => {
  it('are fetched anew, and end it quietly when they are gone', async () => {
    const source = await new DataSource({
      type: 'better-sqlite3',
      driver: libsql,
      database: ':memory:',
      entities: [Show],
      synchronize: true,
    }).initialize();
    const at = await openApp('memory', {
      providers: [...SERVICES, Shows, { provide: DataSource, useValue: source }],
    });
    const show = await source.getRepository(Show).save(Object.assign(new Show(), { id: 1, title: 'old' }));
    await at.bus.dispatch(call(Shows, 'air', show, 1));
    await source.getRepository(Show).update(1, { title: 'new' });
    await at.drain();
    expect(ran).toEqual(['new']);
    at.names();
    await at.bus.dispatch(call(Shows, 'air', show, 1));
    await source.getRepository(Show).delete(1);
    await at.drain();
    expect(ran).toEqual(['new']);
    expect(at.names()).toContain('JobProcessed');
    expect(await at.failed.count()).toBe(0);
    await source.destroy();
  });
});

describe('the services that calls reach', () => {
  it('may be behind another token, or another class', async () => {
    abstract class Mailer {
      @Callable() send(_to: string): void {}
    }
    class Smtp extends Mailer {
      override send(to: string): void {
        ran.push(['smtp', to]);
      }
    }
    const at = await openApp('memory', {
      providers: [{ provide: Mailer, useClass: Smtp }, Clock, { provide: 'PODCASTS', useClass: Podcasts }],
    });
    await at.bus.dispatch(call(Mailer, 'send', 'a'));
    await at.bus.dispatch(call(Smtp, 'send', 'b'));
    await at.bus.dispatch(call(Podcasts, 'publish', 1));
    await at.drain();
    expect(ran).toEqual([
      ['smtp', 'a'],
      ['smtp', 'b'],
      [1, 2030],
    ]);
  });

  it('may be stand-ins, which need the method', async () => {
    const at = await openApp('memory', {
      providers: [{ provide: Podcasts, useValue: { publish: (id: number) => void ran.push(['fake', id]) } }],
    });
    await at.bus.dispatch(call(Podcasts, 'publish', 1));
    await at.bus.dispatch(call(Podcasts, 'both', 1, { name: 'x' }));
    await at.drain();
    expect(ran).toEqual([['fake', 1]]);
    expect(failures(at)[0]!.message).toMatch(/provided for Podcasts has no method both/);
  });

  it('of one class in two modules are one: the first', async () => {
    @Module({ providers: [Clock, Podcasts] })
    class One {}
    @Module({ providers: [Clock, Podcasts] })
    class Two {}
    const at = await openApp('memory', { imports: [One, Two] });
    await at.bus.dispatch(call(Podcasts, 'publish', 1));
    await at.drain();
    expect(ran).toEqual([[1, 2030]]);
  });

  it('of two classes of one name stop the boot', async () => {
    const other = (): object => {
      class Podcasts {
        @Callable() publish(): void {}
      }
      return Podcasts;
    };
    @Module({ providers: [other() as never] })
    class Elsewhere {}
    await expect(openApp('memory', { imports: [Elsewhere], providers: [Clock, Podcasts] })).rejects.toThrow(
      /Two classes named Podcasts have a method publish marked @Callable\(\), in .* and in .*rename/,
    );
  });

  it('are instances: a static method cannot be marked, nor one named by a symbol', () => {
    const key = Symbol('key');
    expect(() => {
      class Sly {
        @Callable() static run(): void {}
      }
      return Sly;
    }).toThrow(/@Callable\(\) on run: a call reaches methods of an instance/);
    expect(() => {
      class Sly {
        @Callable() [key](): void {}
      }
      return Sly;
    }).toThrow(InvalidOptionError);
  });

  it('take no name that begins with @ from a job', () => {
    expect(() => Job({ name: '@call' })(class Sly {})).toThrow(/begins with @/);
    expect(() => Job({ aliases: ['@closure'] })(class Sly {})).toThrow(InvalidOptionError);
  });
});
