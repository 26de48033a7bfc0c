import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  DecryptionError,
  Encrypted,
  FailedHookErrored,
  InvalidOptionError,
  Job,
  JobFailed,
  JobQueued,
  JobQueueing,
  PayloadTooLargeError,
  Queueable,
  Skip,
  Tries,
  UnserializableError,
  Value,
  WithoutOverlapping,
  type JobEnvelope,
  type JobMiddleware,
  type QueueModuleOptions,
} from 'nestjs-queue';
import { onStores } from './on-stores.js';
import { closeApps, openApp, type Opened } from './open-app.js';

const OLD = 'an old key of more than thirty-two characters';
const NEW = 'a new key of more than thirty-two characters!';
const BOTH = { current: 'new', keys: { old: OLD, new: NEW } };

let ran: unknown[] = [];

@Job()
@Encrypted()
@Tries(5)
class Charge extends Queueable {
  constructor(
    readonly card: string,
    readonly at = new Date(0),
  ) {
    super();
  }
  handle(): void {
    ran.push([this.card, this.at]);
    if (this.card === 'declined') this.fail('declined');
  }
  failed(error: Error): void {
    ran.push(['failed()', this.card, error.message]);
  }
}
@Job()
class Refund extends Charge {}
@Job()
class Note extends Queueable {
  shouldBeEncrypted = false;
  constructor(readonly text: string) {
    super();
  }
  handle(): void {
    ran.push(this.text);
  }
}
@Job()
class Spare extends Queueable {
  /** Asked as Laravel asks it: by a method or a field. */
  shouldBeEncrypted(): boolean {
    return true;
  }
  constructor(readonly text: string) {
    super();
  }
  handle(): void {
    ran.push(this.text);
  }
}
@Value('test:Touchy')
class Touchy implements JobMiddleware {
  constructor(readonly word: string) {}
  toJSON(): unknown {
    return this.word;
  }
  static fromJSON(word: unknown): Touchy {
    throw new Error(`cannot read ${String(word)}`);
  }
  async handle(): Promise<void> {}
}
const JOBS = [Charge, Refund, Note, Spare];

beforeEach(() => {
  ran = [];
});
afterEach(closeApps);

const bodyOf = (event: unknown): string => (event as JobQueued).payload;
const openWith = (connection: object, key: QueueModuleOptions['key'], more: Partial<QueueModuleOptions> = {}) =>
  openApp('memory', {
    providers: JOBS,
    options: {
      default: 'main',
      connections: { main: connection as never },
      ...(key === undefined ? {} : { key }),
      ...more,
    },
  });
const failures = ({ seen }: Opened): JobFailed[] => seen.filter((one): one is JobFailed => one instanceof JobFailed);

function flows(connection: () => object): void {
  const open = (key: QueueModuleOptions['key']): Promise<Opened> => openWith(connection(), key);
  const queued: string[] = [];
  const listen = (at: Opened): Opened => {
    at.manager.on(JobQueued, (event) => void queued.push(bodyOf(event)));
    return at;
  };
  /** What somebody who can write to the store does to a job that waits in it. */
  const replace = async (at: Opened, body: string, id?: string): Promise<void> => {
    const main = at.manager.connection();
    await main.clear();
    if (id === undefined) await main.pushRaw(body);
    else await main.pushEntries([{ id, queue: 'default', body, delayMs: 0 }]);
  };

  beforeEach(() => {
    queued.length = 0;
  });
  afterEach(async () => {
    const at = await open(BOTH);
    await at.manager.connection().clear();
    await at.failed.flush();
    await closeApps();
  });

  it('runs a job whose payload nobody can read on the way', async () => {
    const at = listen(await open(BOTH));
    const queueing: string[] = [];
    at.manager.on(JobQueueing, (event) => void queueing.push(event.payload));
    await at.bus.dispatch(new Charge('4111 1111 ☕ \ud800', new Date(5)));
    await at.bus.bulk([new Spare('spare'), new Note('plain')]);
    const [charge, spare, note] = queued.map((body) => JSON.parse(body) as JobEnvelope);
    expect(queueing).toEqual(queued);
    expect(charge).toMatchObject({ name: 'Charge', displayName: 'Charge', maxTries: 5, encrypted: true });
    expect([typeof charge!.data, typeof spare!.data, note!.data]).toEqual(['string', 'string', { text: 'plain' }]);
    expect(note).not.toHaveProperty('encrypted');
    for (const one of [charge, spare, note]) expect(one).not.toHaveProperty('signature');
    const stored = await at.manager.connection().pendingJobs();
    expect(stored.map(({ name }) => name)).toEqual(['Charge', 'Spare', 'Note']);
    expect(JSON.stringify([stored.slice(0, 2), queued.slice(0, 2)])).not.toMatch(/4111|spare"/);
    await at.drain();
    expect(ran).toEqual([['4111 1111 ☕ \ud800', new Date(5)], 'spare', 'plain']);
    expect(failures(at)).toEqual([]);
  });

  it('opens it again for failed(), and records the ciphertext', async () => {
    const at = listen(await open(BOTH));
    await at.bus.dispatch(new Charge('declined'));
    await at.drain();
    expect(ran).toEqual([
      ['declined', new Date(0)],
      ['failed()', 'declined', 'declined'],
    ]);
    const [record] = await at.failed.all();
    expect(record!.payload).toBe(queued[0]);
    expect(record).toMatchObject({ name: 'Charge', displayName: 'Charge' });
  });

  it.each<[string, (envelope: JobEnvelope, other: JobEnvelope) => object, RegExp]>([
    [
      'a changed ciphertext',
      (one) => ({
        ...one,
        data: (one.data as string).replace(/"c":"./, (found) => (found.endsWith('A') ? '"c":"B' : '"c":"A')),
      }),
      /could not be decrypted/,
    ],
    ['a truncated one', (one) => ({ ...one, data: (one.data as string).slice(0, 60) }), /not what this package writes/],
    ['an empty one', (one) => ({ ...one, data: '' }), /not what this package writes/],
    ["another job's", (one, other) => ({ ...one, data: other.data }), /could not be decrypted/],
    ['another name over it', (one) => ({ ...one, name: 'Refund' }), /could not be decrypted/],
    ['its mark taken off', ({ encrypted: _mark, ...one }) => one, /does not say plainly/],
    ['a clear text under its mark', (one) => ({ ...one, data: { card: 'forged' } }), /does not say plainly/],
  ])('records %s once, unrun, with its bytes', async (_, change, message) => {
    const at = listen(await open(BOTH));
    await at.bus.bulk([new Charge('1'), new Charge('2')]);
    const [one, other] = queued.map((body) => JSON.parse(body) as JobEnvelope);
    const body = JSON.stringify(change(one!, other!));
    await replace(at, body);
    await at.drain();
    expect(ran).toEqual([]);
    expect(failures(at).map(({ error }) => error.constructor)).toEqual([DecryptionError]);
    expect(at.seen.some((event) => event instanceof FailedHookErrored)).toBe(false);
    const records = await at.failed.all();
    expect(records.map(({ id, payload }) => [id, payload])).toEqual([[one!.uuid, body]]);
    expect(records[0]!.exception).toMatch(message);
    expect((await at.manager.connection().size()).total).toBe(0);
  });

  it('does not open a body that stands under another id', async () => {
    const at = listen(await open(BOTH));
    await at.bus.dispatch(new Charge('1'));
    await replace(at, queued[0]!, '018f2d0e-7d0a-7d3e-9a55-0d6c6a2f1b11');
    await at.drain();
    expect(ran).toEqual([]);
    expect(failures(at)[0]!.error).toBeInstanceOf(DecryptionError);
  });

  it('reads under the old key after a rotation, and without it keeps the bytes until it is back', async () => {
    const before = listen(await open({ current: 'old', keys: { old: OLD } }));
    await before.bus.bulk([new Charge('first'), new Charge('second')]);
    const ids = queued.map((body) => (JSON.parse(body) as JobEnvelope).uuid);
    await closeApps();

    const rotated = listen(await open(BOTH));
    await rotated.workers.runNextJob({ sleep: 0 });
    expect(ran).toEqual([['first', new Date(0)]]);
    await rotated.bus.dispatch(new Charge('third'));
    expect(queued[2]).toContain(String.raw`\"kid\":\"new\"`);
    await closeApps();

    const without = await open({ current: 'new', keys: { new: NEW } });
    await without.drain();
    expect(ran.at(-1)).toEqual(['third', new Date(0)]);
    const [record, ...others] = await without.failed.all();
    expect(others).toEqual([]);
    expect(record).toMatchObject({ id: ids[1], payload: queued[1] });
    expect(record!.exception).toContain('key "old", which this process does not have');
    expect(await without.failed.retry(ids[1]!)).toBe(true);
    await without.drain();
    const { retried, ...kept } = JSON.parse((await without.failed.find(ids[1]!))!.payload) as JobEnvelope;
    expect([retried, kept]).toEqual([record!.failedAt.getTime(), JSON.parse(queued[1]!)]);
    await closeApps();

    const restored = await open(BOTH);
    expect(await restored.failed.retry(ids[1]!)).toBe(true);
    await restored.drain();
    expect(ran.at(-1)).toEqual(['second', new Date(0)]);
    expect(await restored.failed.count()).toBe(0);
  });
}

describe('encrypted jobs on memory', () => {
  // Jobs of the memory driver live and end with their application.
  const at = (key: QueueModuleOptions['key']): Promise<Opened> => openWith({ driver: 'memory' }, key);

  it('run in this process as anywhere else', async () => {
    const { bus } = await at(BOTH);
    await bus.dispatchSync(new Charge('sync'));
    await bus.dispatch(new Charge('connection')).onConnection('sync');
    expect(ran).toEqual([
      ['sync', new Date(0)],
      ['connection', new Date(0)],
    ]);
  });

  it('are taken from the queue, recorded, and sent again', async () => {
    const app = await at(BOTH);
    const { id } = (await app.bus.dispatch(new Charge('memory')))!;
    const [job] = await app.manager.connection().pendingJobs();
    await app.manager.connection().clear();
    const broken = JSON.stringify({ ...job!.payload, data: 'broken' });
    await app.manager.connection().pushRaw(broken);
    await app.drain();
    expect((await app.failed.find(id))!.payload).toBe(broken);
    await app.failed.flush();
    await app.manager.connection().pushRaw(JSON.stringify(job!.payload));
    await app.drain();
    expect(ran).toEqual([['memory', new Date(0)]]);
  });

  it('need a key: one that is registered ends the boot, one that is sent is not', async () => {
    await expect(at(undefined)).rejects.toThrow(/^Charge is @Encrypted\(\), and QueueModule has no key.*QUEUE_KEY/);
    const app = await openApp('memory', { providers: [Note] });
    await expect(app.bus.dispatch(new Charge('clear'))).rejects.toThrow(InvalidOptionError);
    await expect(app.bus.dispatch(new Spare('clear'))).rejects.toThrow(/Spare is to be encrypted.*It was not sent/);
    await expect(app.bus.dispatchSync(new Spare('clear'))).rejects.toThrow(InvalidOptionError);
    const marked = Object.assign(new Note('clear'), { shouldBeEncrypted: true });
    await expect(app.bus.bulk([new Note('fine'), marked])).rejects.toThrow(InvalidOptionError);
    expect((await app.manager.connection().size()).total).toBe(0);
    expect(ran).toEqual([]);
  });

  it('carry what through() took sealed as well, and not for another part or job', async () => {
    const app = await at(BOTH);
    const secret = () => new Charge('first').through([new WithoutOverlapping('canary')]);
    const { id } = (await app.bus.dispatch(secret()))!;
    const [job] = await app.manager.connection().pendingJobs();
    const { data, middleware } = job!.payload as JobEnvelope;
    expect(typeof middleware).toBe('string');
    expect(JSON.stringify(job!.payload)).not.toMatch(/canary|Overlapping/);
    await app.drain();
    expect(ran).toEqual([['first', new Date(0)]]);

    // It is there and it holds: a job that another one keeps out is released, unrun.
    await app.bus.dispatch(new Charge('second').through([Skip.when(true)]));
    await app.bus.dispatchSync(new Charge('third').through([Skip.when(true)]));
    await app.drain();
    expect(ran).toHaveLength(1);

    ran = [];
    const clear = [{ name: 'Skip', options: { skips: true } }];
    for (const changed of [{ middleware: data }, { data: middleware }, { middleware: clear }, { middleware: 'x' }]) {
      await app.manager.connection().pushRaw(JSON.stringify({ ...job!.payload, ...changed }));
      await app.drain();
      expect((await app.failed.find(id))!.exception).toMatch(/^DecryptionError: /);
      await app.failed.flush();
    }
    expect(ran.filter((one) => (one as unknown[])[0] !== 'failed()')).toEqual([]);
  });

  it('say nothing of what through() took that cannot be read', async () => {
    const app = await at(NEW);
    const { id } = (await app.bus.dispatch(new Charge('4111').through([new Touchy('canary')])))!;
    await app.drain();
    const { exception } = (await app.failed.find(id))!;
    expect(exception).toMatch(/^InvalidPayloadError: Charge was decrypted, but a value in it was refused/);
    expect(exception).not.toContain('canary');
  });

  it('show their payload to hooks sealed, as it travels', async () => {
    const app = await at(NEW);
    const given: object[] = [];
    app.manager.createPayloadUsing((_connection, _queue, payload) => {
      given.push(payload);
      return { by: 'hook' };
    });
    await app.bus.dispatch(new Charge('canary'));
    expect(JSON.stringify(given)).not.toContain('canary');
    const [job] = await app.manager.connection().pendingJobs();
    expect(job!.payload).toMatchObject({ extra: { by: 'hook' }, encrypted: true });
    await app.drain();
    expect(ran).toHaveLength(1);
  });

  it('count against maxPayload as they travel', async () => {
    const app = await openWith({ driver: 'memory' }, NEW, { maxPayload: 3_000 });
    await app.bus.dispatch(new Note('x'.repeat(2_500)));
    await expect(app.bus.dispatch(new Charge('x'.repeat(2_500)))).rejects.toThrow(PayloadTooLargeError);
  });

  it('name the place of what cannot travel, and not what stands there', async () => {
    const app = await at(NEW);
    const spare = (text: unknown): Promise<unknown> => app.bus.dispatch(new Spare(text as string)).then();
    const refusals = [
      { list: [Symbol('canary')] },
      new Map([['canary', { deep: () => 'canary' }]]),
      {
        toJSON() {
          throw new Error('canary');
        },
      },
      new Proxy(
        {},
        {
          ownKeys: () => ['canary'],
          getOwnPropertyDescriptor: () => {
            throw new Error('canary');
          },
        },
      ),
    ];
    for (const text of refusals) {
      const error = (await spare(text).catch((thrown: unknown) => thrown)) as UnserializableError;
      expect(error).toBeInstanceOf(UnserializableError);
      expect(error.path).toMatch(/^text/);
      expect(`${error.stack} ${String(error.cause)}`).not.toContain('canary');
    }
  });
});

onStores('encrypted jobs', flows);
