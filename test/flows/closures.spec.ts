import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Inject, Injectable, Module, Scope } from '@nestjs/common';
import libsql from 'libsql';
import { DataSource } from 'typeorm';
import {
  closure,
  ClosureSourceError,
  InjectionError,
  InvalidOptionError,
  InvalidPayloadError,
  JOB_REF,
  JobFailed,
  JobProcessing,
  NotAJobError,
  SignatureError,
  UnknownJobError,
  UnserializableError,
  type JobContext,
  type JobEnvelope,
  type QueueableJob,
  type QueueModuleOptions,
} from 'nestjs-queue';
import { signEnvelope } from '../../lib/job/envelope-signature.js';
import { KeyRing } from '../../lib/job/key-ring.js';
import { onStores } from './on-stores.js';
import { closeApps, openApp, until, type Opened } from './open-app.js';

const KEY = 'a key of more than thirty-two characters';
const OTHER_KEY = 'another key of more than thirty-two characters';
const ELSEWHERE = '018f2d0e-7d0a-7d3e-9a55-0d6c6a2f1b11';
const SYMBOL = Symbol('sink');

let ran: unknown[] = [];

@Injectable()
class Sink {
  put(...what: unknown[]): void {
    ran.push(what);
  }
}
@Injectable({ scope: Scope.REQUEST })
class Tracked {
  constructor(@Inject(JOB_REF) readonly job: JobContext) {}
}
const PROVIDERS = [Sink, Tracked, { provide: 'SINK', useExisting: Sink }, { provide: SYMBOL, useExisting: Sink }];

/** A task whose function uses what it receives alone. */
const task = (id: number) =>
  closure({ id, at: new Date(0) }, ({ id: own, at }, sink) => sink.put(own, at.getTime()), [Sink]);

beforeEach(() => {
  ran = [];
});
afterEach(closeApps);

const failures = ({ seen }: Opened): Error[] =>
  seen.filter((one): one is JobFailed => one instanceof JobFailed).map(({ error }) => error);
const shown = ({ seen }: Opened): string[] =>
  seen.filter((one): one is JobProcessing => one instanceof JobProcessing).map(({ job }) => job.displayName);
const memory = (options: Partial<QueueModuleOptions> = {}): Promise<Opened> =>
  openApp('memory', { providers: PROVIDERS, options });

describe('an inline function', () => {
  it.each(['sync', 'deferred'])('runs as it is on %s, with the events of a job', async (connection) => {
    const at = await memory();
    const around = { touched: 0 };
    const receipt = await at.bus.dispatch(async () => void (around.touched += 1)).onConnection(connection);
    await until(() => at.seen.length >= 3);
    expect(around.touched).toBe(1);
    expect(receipt).toMatchObject({ id: expect.any(String), connection });
    expect(at.names()).toEqual(['JobProcessing', 'JobProcessed', 'JobAttempted']);
    expect(shown(at)).toEqual(['Closure']);
  });

  it('goes by its name', async () => {
    const at = await memory();
    await at.bus.dispatch(function sendWelcome() {}).onConnection('sync');
    expect(shown(at)).toEqual(['sendWelcome - Closure']);
  });

  it('that throws tells its caller, and is not recorded', async () => {
    const at = await memory();
    const fail = (): never => {
      throw new Error('broken');
    };
    await expect(at.bus.dispatch(fail).onConnection('sync')).rejects.toThrow('broken');
    expect(at.names()).toEqual(['JobProcessing', 'JobFailed', 'JobExceptionOccurred', 'JobAttempted']);
    expect(await at.failed.count()).toBe(0);
  });

  it('runs where it is the default connection, and by the other two ways', async () => {
    const at = await memory({ default: 'sync' });
    await at.bus.dispatch(() => void ran.push('dispatched'));
    expect(await at.bus.dispatchSync(() => 7)).toBe(7);
    at.bus.dispatchAfterResponse(() => void ran.push('after'));
    await until(() => ran.length === 2);
    expect(ran).toEqual(['dispatched', 'after']);
  });

  it.each(['memory', 'database', 'null'])('is refused on %s, with what to write instead', async (connection) => {
    const at = await memory();
    const inline = (): void => void ran.push('no');
    const sending = at.bus.dispatch(inline).onConnection(connection);
    await expect(sending).rejects.toThrow(NotAJobError);
    await expect(at.bus.dispatch(inline).onConnection(connection)).rejects.toThrow(
      new RegExp(
        `inline - Closure is a function.*\\[${connection}\\].*@Callable\\(\\) and dispatch call\\(Service, 'method', …\\), or closure\\(\\{ id \\}.*source: 'signed'`,
      ),
    );
    expect(ran).toEqual([]);
  });

  it('is refused where sources travel too: it declares nothing', async () => {
    const at = await memory({ key: KEY, closures: { source: 'signed' } });
    await expect(at.bus.dispatch(() => 1)).rejects.toThrow(/or declare what it uses: closure\(/);
  });

  it('waits for a commit like a job, and is dropped with a rollback', async () => {
    const source = await new DataSource({ type: 'better-sqlite3', driver: libsql, database: ':memory:' }).initialize();
    const at = await openApp('memory', { providers: [{ provide: DataSource, useValue: source }] });
    const send = (what: string): PromiseLike<unknown> =>
      at.bus
        .dispatch(() => void ran.push(what))
        .onConnection('sync')
        .afterCommit();
    await source.transaction(async () => {
      await send('committed');
      expect(ran).toEqual([]);
    });
    const rolledBack = source.transaction(async () => {
      await send('rolled back');
      throw new Error('no');
    });
    await expect(rolledBack).rejects.toThrow('no');
    await at.bus.flush();
    expect(ran).toEqual(['committed']);
    await source.destroy();
  });

  it('is no job for a bulk or a chain', async () => {
    const at = await memory({ default: 'sync' });
    const inline = (() => 1) as unknown as QueueableJob;
    await expect(at.bus.bulk([inline])).rejects.toThrow(/a function where it needs a job/);
    await expect(at.bus.chain([inline]).dispatch()).rejects.toThrow(NotAJobError);
  });

  it('cannot be called from a store', async () => {
    const at = await memory();
    const body = { v: 1, uuid: ELSEWHERE, name: '@closure', displayName: 'x', createdAt: 1, data: {} };
    await at.manager.connection().pushRaw(JSON.stringify(body));
    await at.drain({ tries: 5 });
    expect(failures(at)).toEqual([expect.any(SignatureError)]);
    expect(await at.failed.count()).toBe(1);
  });
});

describe('a closure in its own process', () => {
  it('runs as it is, with what is around it and what it has injected', async () => {
    const at = await memory();
    const around: unknown[] = [];
    const given = { list: around };
    const made = closure(
      given,
      async (values, sink: Sink, byText: Sink, bySymbol: Sink, tracked: Tracked, job: JobContext) => {
        values.list.push(sink === byText, sink === bySymbol, tracked.job === job, job.displayName);
        around.push('around');
      },
      [Sink, 'SINK', SYMBOL, Tracked, JOB_REF],
    );
    await at.bus.dispatch(made.name('Looking')).onConnection('sync');
    expect(around).toEqual([true, true, true, 'Looking - Closure', 'around']);
    expect(await at.bus.dispatchSync(closure({ a: 1 }, ({ a }) => a + 1))).toBe(2);
    at.bus.dispatchAfterResponse(task(3));
    await at.bus.dispatch(task(4)).onConnection('deferred');
    await until(() => ran.length === 2);
    await at.bus.dispatch(closure({}, () => 1)).onConnection('sync');
    expect(ran).toEqual([
      [3, 0],
      [4, 0],
    ]);
  });

  it('waits for the things it has injected, and says what there is none of', async () => {
    const at = await memory();
    const missing = closure({}, (_, one) => one, ['NOWHERE']);
    await expect(at.bus.dispatch(missing).onConnection('sync')).rejects.toThrow(InjectionError);
    await expect(at.bus.dispatchSync(missing)).rejects.toThrow(/injects NOWHERE, and no such provider/);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['no values', () => closure(undefined as never, () => 1), /undefined as values/],
    ['no function', () => closure({}, 'x' as never), /Give a function/],
    ['a class', () => closure({}, class Sly {} as never), /Give a function/],
    ['dependencies that are no list', () => closure({}, () => 1, Sink as never), /Give a list of tokens/],
    [
      'fewer dependencies than parameters',
      () => closure({}, (_v, _a, _b) => 1, [Sink]),
      /2 dependencies, of which inject names 1/,
    ],
  ])('is refused with %s', (_, make, why) => {
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(why);
  });

  it('is refused on a queue unless sources may travel, which is not the default', async () => {
    const at = await memory();
    await expect(at.bus.dispatch(task(1))).rejects.toThrow(
      /let sources travel: closures: \{ source: 'signed' \} and a key/,
    );
    await expect(at.bus.bulk([task(1)])).rejects.toThrow(NotAJobError);
    const refusing = await memory({ key: KEY, closures: { source: 'refuse' } });
    await expect(refusing.bus.dispatch(task(1))).rejects.toThrow(NotAJobError);
  });
});

describe('the option closures', () => {
  it('needs a key for signed sources, and knows its two values', async () => {
    await expect(memory({ closures: { source: 'signed' } })).rejects.toThrow(/needs a key/);
    await expect(memory({ closures: { source: 'yes' as never } })).rejects.toThrow(/closures\.source is "yes"/);
    await expect(memory({ closures: {} as never })).rejects.toThrow(InvalidOptionError);
  });
});

const waiting = async (at: Opened): Promise<JobEnvelope> =>
  (await at.manager.connection().pendingJobs())[0]!.payload as JobEnvelope;
const openWith = (
  connection: object,
  options: Partial<QueueModuleOptions> = { key: KEY, closures: { source: 'signed' } },
): Promise<Opened> =>
  openApp('memory', {
    providers: PROVIDERS,
    options: { default: 'main', connections: { main: connection as never }, ...options },
  });

function flows(connection: () => object): void {
  const open = (): Promise<Opened> => openWith(connection());
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

  it('are steps and callbacks of chains, again when their job is retried', async () => {
    const at = await open();
    const failing = closure({ id: 2 }, ({ id }) => {
      throw new Error(`no ${id}`);
    });
    const receipt = await at.bus
      .chain([task(1), failing.catch(task(3)), task(4)])
      .catch(task(5))
      .dispatch();
    await at.drain();
    const expected = [
      [1, 0],
      [3, 0],
      [5, 0],
    ];
    expect(ran).toEqual(expected);
    expect(receipt).not.toBeNull();
    const [record] = await at.failed.all();
    expect(await at.failed.retry(record!.id)).toBe(true);
    await at.drain();
    expect(ran).toEqual([...expected, ...expected.slice(1)]);
    expect(failures(at).map(({ message }) => message)).toEqual(['no 2', 'no 2']);
  });

  it('know their job and their tokens, and are retried and recorded as jobs are', async () => {
    const at = await open();
    const made = closure(
      { word: 'hm' },
      (values, sink, job, tracked) => {
        sink.put(values.word, job.attempts, tracked.job.id === job.id);
        throw new TypeError(values.word);
      },
      ['SINK', JOB_REF, Tracked],
    );
    const receipt = await at.bus.dispatch(made);
    await at.drain({ tries: 2 });
    expect(ran).toEqual([
      ['hm', 1, true],
      ['hm', 2, true],
    ]);
    expect(failures(at)).toEqual([expect.any(TypeError)]);
    expect(await at.failed.retry(receipt!.id)).toBe(true);
    await at.drain();
    expect(ran).toHaveLength(3);
  });

  it.each<[string, (body: JobEnvelope & { data: any }) => object, string?]>([
    ['another source', (one) => ({ ...one, data: { ...one.data, v: { ...one.data.v, source: '() => 1' } } })],
    ['a second source', (one) => ({ ...one, data: { ...one.data, source: '() => 1' } })],
    ['other values', (one) => ({ ...one, data: { ...one.data, v: { ...one.data.v, values: { id: 8 } } } })],
    [
      'other dependencies',
      (one) => ({ ...one, data: { ...one.data, v: { ...one.data.v, inject: [{ token: 'SINK' }] } } }),
    ],
    ['no mac', ({ data: { mac: _mac, ...data }, ...one }) => ({ ...one, data })],
    ['another label', (one) => ({ ...one, displayName: 'Harmless' })],
    ['no signature', ({ signature: _own, ...one }) => one],
    ['another id', (one) => one, ELSEWHERE],
    ['another id, which the body says too', (one) => ({ ...one, uuid: ELSEWHERE }), ELSEWHERE],
  ])('are refused with %s, and never compiled', async (_, change, ...[id]) => {
    const at = await open();
    await at.bus.dispatch(task(7));
    await swapped(at, change(await waiting(at)), id);
    await at.drain({ tries: 5 });
    expect(ran).toEqual([]);
    expect(failures(at)).toEqual([expect.any(SignatureError)]);
    expect(await at.failed.count()).toBe(1);
  });
}

/** Two applications on one store. */
function betweenApps(connection: () => object): void {
  const open = (options?: Partial<QueueModuleOptions>): Promise<Opened> => openWith(connection(), options);

  it('run in another application of the same key', async () => {
    const producer = await open();
    const worker = await open();
    await producer.bus.dispatch(task(7));
    await producer.bus.bulk([task(8).name('The eighth')]);
    expect(await waiting(producer)).toMatchObject({
      name: '@closure',
      displayName: 'Closure',
      signature: expect.any(String),
    });
    await worker.drain();
    expect(ran).toEqual([
      [7, 0],
      [8, 0],
    ]);
    expect(shown(worker)).toEqual(['Closure', 'The eighth - Closure']);
  });

  it.each<[string, Partial<QueueModuleOptions>]>([
    ['refuses sources', { key: KEY }],
    ['has another key', { key: OTHER_KEY, closures: { source: 'signed' } }],
    ['has no key', {}],
  ])('are recorded by a worker that %s', async (_, options) => {
    const producer = await open();
    const worker = await open(options);
    const receipt = await producer.bus.dispatch(task(7));
    await worker.drain({ tries: 5 });
    expect(ran).toEqual([]);
    expect(failures(worker)).toEqual([expect.any(SignatureError)]);
    // It runs once the worker may.
    expect(await producer.failed.retry(receipt!.id)).toBe(true);
    await producer.drain();
    expect(ran).toEqual([[7, 0]]);
  });
}

describe('signed closures on memory', () => {
  it('are refused with what they do not receive, by name and place', async () => {
    const at = await memory({ key: KEY, closures: { source: 'signed' } });
    const rate = 3;
    const made = closure({ id: 1 }, ({ id }) => id * rate);
    await expect(at.bus.dispatch(made)).rejects.toThrow(ClosureSourceError);
    await expect(at.bus.dispatch(made)).rejects.toThrow(/^Closure uses rate \(line 1, column \d+\)/);
    await expect(at.bus.dispatch(closure({}, (_, one) => one, [SYMBOL]))).rejects.toThrow(/injects Symbol\(sink\)/);
    await expect(at.bus.dispatch(closure({ f: () => 1 }, ({ f }) => f))).rejects.toThrow(UnserializableError);
    expect(await at.manager.connection().size()).toMatchObject({ total: 0 });
  });

  it('have dependencies whose name must mean one class here', async () => {
    const other = (): object => class Sink {};
    @Module({ providers: [other() as never] })
    class Elsewhere {}
    const options = { key: KEY, closures: { source: 'signed' as const } };
    const at = await openApp('memory', { imports: [Elsewhere], providers: PROVIDERS, options });
    await at.bus.dispatch(task(1));
    class Unlisted {}
    await at.bus.dispatch(closure({}, (_, one) => one, [Unlisted]));
    await at.drain();
    expect(failures(at).map(({ message }) => message)).toEqual([
      expect.stringMatching(/injects Sink, and several classes of that name/),
      expect.stringMatching(/injects Unlisted, and no class of that name/),
    ]);
  });

  it('are not compiled before the signature holds', async () => {
    const at = await memory({ key: KEY, closures: { source: 'signed' } });
    const marker = jest.fn();
    (globalThis as { marker?: unknown }).marker = marker;
    await at.bus.dispatch(task(1));
    const main = at.manager.connection();
    const body = (await main.pendingJobs())[0]!.payload as Omit<JobEnvelope, 'data'> & {
      data: { v: object };
    };
    await main.clear();
    const source = '(globalThis.marker(), () => 1)';
    const changed = { ...body, data: { ...body.data, v: { ...body.data.v, source } } };
    // Even whoever may sign envelopes signs no source by that.
    await main.pushRaw(JSON.stringify(signEnvelope(changed, new KeyRing(KEY))));
    await at.drain();
    expect(failures(at)).toEqual([expect.any(SignatureError)]);
    expect(marker).not.toHaveBeenCalled();
    delete (globalThis as { marker?: unknown }).marker;
  });

  it('are not taken for calls, nor calls for closures', async () => {
    const at = await memory();
    const body = { v: 1, uuid: ELSEWHERE, displayName: 'x', createdAt: 1 };
    await at.manager
      .connection()
      .pushRaw(JSON.stringify({ ...body, name: '@call', data: { source: '() => 1', values: {}, inject: [] } }));
    await at.drain();
    expect(failures(at)).toEqual([expect.any(InvalidPayloadError)]);
    await at.manager.connection().pushRaw(JSON.stringify({ ...body, name: '@other', data: {} }));
    await at.drain({ unknownJobTries: 1 });
    expect(failures(at)[1]).toBeInstanceOf(UnknownJobError);
  });

  flows(() => ({ driver: 'memory' }));
});
onStores('signed closures', (connection) => {
  flows(connection);
  betweenApps(connection);
});
