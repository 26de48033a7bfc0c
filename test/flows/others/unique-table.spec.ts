import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { TypeOrmModule } from '@nestjs/typeorm';
import libsql from 'libsql';
import {
  Backoff,
  DeleteWhenMissingEntities,
  Job,
  Queueable,
  Tries,
  Unique,
  UniqueUntilProcessing,
  type JobContext,
  type WorkerOptions,
} from 'nestjs-queue';
import { DataSource, Entity, PrimaryColumn } from 'typeorm';
import { lockKey } from '../../../lib/job/lock-key.js';
import { START_LIMIT_MS } from '../../support/shared-servers.js';
import { closeApps, openApp, sleep, until, type Opened } from '../open-app.js';
import { EVERYWHERE, locksOf, siteOf, type Site } from './places.js';

type Next = () => Promise<void>;

/** What the jobs of one case do. */
interface Plan {
  handle?: (job: Work) => unknown;
  middleware?: (job: Work, next: Next, context: JobContext) => unknown;
}
let plan: Plan;
/** Held or free, as the handler and the middleware saw it. */
let seen: string[];
let at: Opened;
let kind: string;

abstract class Work extends Queueable {
  tries = 2;
  constructor(public kind: string) {
    super();
  }
  uniqueId() {
    return this.kind;
  }
  middleware() {
    return [
      {
        handle: async (job: object, next: Next, context: JobContext) =>
          plan.middleware ? plan.middleware(job as Work, next, context) : next(),
      },
    ];
  }
  async handle() {
    seen.push(`${this.attempts()}: ${await lock(this.constructor.name)}`);
    await plan.handle?.(this);
  }
}
@Job()
@Backoff(0)
@Unique()
class UntilEnd extends Work {}
@Job()
@Backoff(0)
@UniqueUntilProcessing()
class UntilStart extends Work {}

@Entity()
class Podcast {
  @PrimaryColumn('int') id!: number;
}
abstract class About extends Queueable {
  constructor(
    public kind: string,
    public podcast: object,
  ) {
    super();
  }
  uniqueId() {
    return this.kind;
  }
  handle() {}
}
@Job()
@Tries(1)
@Unique()
class AboutUntilEnd extends About {}
@Job()
@Tries(1)
@UniqueUntilProcessing()
class AboutUntilStart extends About {}
@Job()
@Unique()
@DeleteWhenMissingEntities()
class LenientUntilEnd extends About {}
@Job()
@UniqueUntilProcessing()
@DeleteWhenMissingEntities()
class LenientUntilStart extends About {}

async function lock(name: string): Promise<'held' | 'free'> {
  const owner = await (await locksOf(at)).owner(lockKey('unique', name, kind));
  return owner === undefined ? 'free' : 'held';
}
const once: WorkerOptions = { maxJobs: 1 };
const fail = (): never => {
  throw new Error('on purpose');
};

interface Row {
  readonly outcome: string;
  readonly plan?: Plan;
  /** Behind the dispatch; else one job is worked. */
  readonly work?: (id: string, job: Work) => Promise<unknown>;
  /** Of `UntilEnd`, of `UntilStart`. */
  readonly leaves: readonly ['held' | 'free', 'held' | 'free'];
  /** What the handler saw, each time. */
  readonly sees?: readonly [readonly string[], readonly string[]];
}

const started: Row['sees'] = [['1: held'], ['1: free']];
const ROWS: readonly Row[] = [
  { outcome: 'queued', work: async () => {}, leaves: ['held', 'held'], sees: [[], []] },
  { outcome: 'done', leaves: ['free', 'free'], sees: started },
  { outcome: 'deleted by its handler', plan: { handle: (job) => job.delete() }, leaves: ['free', 'free'] },
  { outcome: 'released by its handler', plan: { handle: (job) => job.release(60) }, leaves: ['held', 'free'] },
  {
    outcome: 'released by its middleware',
    plan: { middleware: (_job, _next, context) => context.release(60) },
    leaves: ['held', 'held'],
    sees: [[], []],
  },
  {
    outcome: 'released by its middleware, and let through later',
    plan: { middleware: (_job, next, context) => (context.attempts === 1 ? context.release(0) : next()) },
    work: () => at.drain(),
    leaves: ['free', 'free'],
    sees: [['2: held'], ['2: free']],
  },
  { outcome: 'skipped by its middleware', plan: { middleware: () => {} }, leaves: ['free', 'free'], sees: [[], []] },
  { outcome: 'thrown out by its middleware, with a try left', plan: { middleware: fail }, leaves: ['held', 'free'] },
  { outcome: 'an exception with a try left', plan: { handle: fail }, leaves: ['held', 'free'], sees: started },
  {
    outcome: 'done at the second try',
    plan: { handle: (job) => (job.attempts() === 1 ? fail() : undefined) },
    work: () => at.drain(),
    leaves: ['free', 'free'],
    sees: [
      ['1: held', '2: held'],
      ['1: free', '2: free'],
    ],
  },
  { outcome: 'failed by its last exception', plan: { handle: fail }, work: () => at.drain(), leaves: ['free', 'free'] },
  { outcome: 'failed by its middleware', plan: { middleware: fail }, work: () => at.drain(), leaves: ['free', 'free'] },
  { outcome: 'failed by hand', plan: { handle: (job) => job.fail('no') }, leaves: ['free', 'free'] },
  {
    outcome: 'failed by hand in its middleware',
    plan: { middleware: (_job, _next, context) => context.fail('no') },
    leaves: ['free', 'free'],
    sees: [[], []],
  },
  {
    outcome: 'refused unrun, since its tries are used up',
    plan: { middleware: (_job, _next, context) => context.release(0) },
    work: () => at.drain(),
    leaves: ['free', 'free'],
    sees: [[], []],
  },
  {
    outcome: 'cleared',
    work: () => at.manager.connection().clear(),
    // Elsewhere the next dispatch finds that there is no job behind it.
    leaves: ['free', 'free'],
  },
  {
    outcome: 'removed',
    work: async (id) => (await at.manager.connection().inspection()).remove(id),
    leaves: ['free', 'free'],
  },
];

describe.each(EVERYWHERE)('a unique job on $name', (place) => {
  let site: Site;
  const apart = place.locks !== undefined;

  beforeAll(async () => {
    site = await siteOf(place);
  }, START_LIMIT_MS);
  afterAll(() => site.drop());
  beforeEach(async () => {
    plan = {};
    seen = [];
    kind = `kind ${Math.random()}`;
    const { dir } = site;
    at = await openApp('memory', {
      dir,
      options: site.options,
      providers: [UntilEnd, UntilStart, AboutUntilEnd, AboutUntilStart, LenientUntilEnd, LenientUntilStart],
      imports: [
        TypeOrmModule.forRoot({
          type: 'better-sqlite3',
          driver: libsql,
          database: join(dir, 'podcasts.sqlite'),
          entities: [Podcast],
          synchronize: true,
        }),
      ],
    });
  });
  afterEach(async () => {
    await at.manager.connection().clear();
    await closeApps();
  });

  for (const [index, type] of [UntilEnd, UntilStart].entries()) {
    describe(`${index === 0 ? 'until its end' : 'until it starts'}`, () => {
      it.each(ROWS)('$outcome', async ({ outcome, plan: given, work, leaves, sees }) => {
        plan = given ?? {};
        const job = new type(kind);
        const receipt = await at.bus.dispatch(job);
        expect(await at.bus.dispatch(new type(kind))).toBeNull();
        if (work) await work(receipt!.id, job);
        else await at.workers.work({ ...once, sleep: '50ms' });
        // A lock elsewhere of a job that was taken away is found out by the next dispatch.
        const later = apart && (outcome === 'cleared' || outcome === 'removed');
        expect(later ? leaves[index] : await lock(type.name)).toBe(leaves[index]);
        expect(sees ? seen : undefined).toEqual(sees?.[index]);
        const next = await at.bus.dispatch(new type(kind));
        expect(next === null ? 'held' : 'free').toBe(leaves[index]);
      });
    });
  }

  it('is held while it waits for its time, and tells of those it stops', async () => {
    const receipt = await at.bus.dispatch(new UntilEnd(kind)).delay(60);
    expect(receipt?.connection).toBe('jobs');
    expect(await at.bus.dispatch(new UntilEnd(kind))).toBeNull();
    expect(await at.bus.dispatch(new UntilEnd(`${kind}, another`))).not.toBeNull();
    expect(at.names()).toEqual(['UniqueJobSkipped']);
    expect((at.seen[0] as { job: object }).job).toBeInstanceOf(UntilEnd);
  });

  it('is one of those in a bulk', async () => {
    const kinds = ['a', 'b', 'a', 'c', 'b'];
    const receipts = await at.bus.bulk(kinds.map((one) => new UntilEnd(`${kind} ${one}`)));
    expect(receipts.map((one) => one !== null)).toEqual([true, true, false, true, false]);
    expect((await at.manager.connection().size()).pending).toBe(3);
    const again = await at.bus.bulk([new UntilEnd(`${kind} a`), new UntilEnd(`${kind} d`)]);
    expect(again.map((one) => one !== null)).toEqual([false, true]);
    await at.drain();
    const after = await at.bus.bulk(kinds.map((one) => new UntilEnd(`${kind} ${one}`)));
    expect(after.map((one) => one !== null)).toEqual([true, true, false, true, false]);
  });

  it('is not looked at by dispatchSync, and a retry by hand takes no lock', async () => {
    plan = { handle: (job) => job.fail('no') };
    const first = await at.bus.dispatch(new UntilEnd(kind));
    plan = {};
    await at.bus.dispatchSync(new UntilEnd(kind));
    plan = { handle: (job) => job.fail('no') };
    await at.drain();
    const second = await at.bus.dispatch(new UntilEnd(kind));
    expect(second).not.toBeNull();
    expect(await at.failed.retry(first!.id)).toBeTruthy();
    expect((await at.manager.connection().size()).pending).toBe(2);
    plan = {};
    // The one that was retried has no lock to give back: the other's stays until its own end.
    const jobs = await at.manager.connection().pendingJobs();
    const order = jobs.map(({ id }) => id);
    expect(order).toEqual([second!.id, first!.id]);
    await at.drain();
    expect(await lock('UntilEnd')).toBe('free');
  });

  it('is given back when its worker died, and the job had stalled too often', async () => {
    await at.bus.dispatch(new UntilEnd(kind));
    const driver = await at.manager.connection().queue();
    const request = { queues: ['default'], limit: 1, leaseMs: 1_000, waitMs: 0, signal: new AbortController().signal };
    expect(await driver.reserve(request)).toHaveLength(1);
    expect(await at.bus.dispatch(new UntilEnd(kind))).toBeNull();
    await sleep(1_100);
    await until(async () => {
      await at.drain({ maxStalls: 0 });
      return at.names().includes('JobFailed');
    }, 'the stalled job to fail');
    expect(await lock('UntilEnd')).toBe('free');
    expect(await at.bus.dispatch(new UntilEnd(kind))).not.toBeNull();
  });

  it.each([AboutUntilEnd, AboutUntilStart, LenientUntilEnd, LenientUntilStart])(
    'is given back where its entity is gone: %p',
    async (type) => {
      const podcasts = at.app.get(DataSource).getRepository(Podcast);
      const podcast = await podcasts.save(podcasts.create({ id: 1 }));
      await at.bus.dispatch(new type(kind, podcast));
      await podcasts.delete(1);
      expect(await lock(type.name)).toBe('held');
      await at.drain();
      expect(at.names().includes('JobFailed')).toBe(type === AboutUntilEnd || type === AboutUntilStart);
      expect(await lock(type.name)).toBe('free');
    },
  );

  it('is given back where its body is refused', async () => {
    const connection = at.manager.connection();
    const receipt = await at.bus.dispatch(new UntilEnd(kind));
    // As a body of a newer version would be.
    const [stored] = (await (await connection.inspection()).page('default', 'pending', { limit: 1 })).jobs;
    const { lock: _none, ...body } = JSON.parse(stored!.body) as { lock?: unknown };
    const entry = { id: receipt!.id, queue: 'default', body: JSON.stringify({ ...body, v: 99 }), delayMs: 0 };
    const driver = await connection.queue();
    const request = { queues: ['default'], limit: 1, leaseMs: 5_000, waitMs: 0, signal: new AbortController().signal };
    const [reserved] = await driver.reserve(request);
    await driver.settle([{ kind: 'ack', job: reserved! }]);
    await driver.push([entry]);
    expect(await lock('UntilEnd')).toBe('held');
    await at.drain();
    expect(at.names()).toContain('JobFailed');
    expect(await lock('UntilEnd')).toBe('free');
  });
});
