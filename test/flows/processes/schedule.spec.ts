import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { START_LIMIT_MS } from '../../support/shared-redis.js';
import { Site, LEFT_OUT_OF_SWEEPS, SWEPT_STORES, type Child } from './site.js';

let site: Site | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
});

async function scheduler(name: string, env: object = {}): Promise<Child> {
  const child = site!.start('scheduler', name, [], { env });
  await child.message();
  return child;
}

/** Another Node that cannot see the peer. */
const WITHOUT_PEER = `data:text/javascript,${encodeURIComponent(`
  import { Module } from 'node:module';
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    if (request.startsWith('@nestjs/schedule')) {
      throw Object.assign(new Error('Cannot find module ' + request), { code: 'MODULE_NOT_FOUND' });
    }
    return resolve.call(this, request, ...rest);
  };
`)}`;

if (LEFT_OUT_OF_SWEEPS) console.info(LEFT_OUT_OF_SWEEPS);

describe.each(SWEPT_STORES)('a schedule that four processes keep on %s', (store) => {
  it(
    'dispatches each tick once, though one of their clocks is ahead, and lets no job overlap',
    async () => {
      site = await Site.open({}, store);
      // The first one makes the tables.
      const children = [await scheduler('first')];
      children.push(
        ...(await Promise.all([scheduler('second'), scheduler('third'), scheduler('ahead', { CLOCK_AHEAD: '1700' })])),
      );
      // Its jobs end at once: a late process must find their ids remembered. Those of the other queue wait.
      const off = { env: { SCHEDULES: 'off' } };
      const early = site.start('scheduled-worker', 'early', ['-q', '--queue=default', '--sleep=0.1'], off);
      await site.working('early', early);
      const from = Date.now();
      await sleep(6_000);
      const until = Date.now();
      const ids = (what: string): unknown[] => site!.lines(what).map(({ id }) => id);
      expect(ids('one-by-one')).toEqual([]);
      // Once they are worked the next ones come: no late dispatch of a tick that is over has left a lock behind.
      const apart = site.start('scheduled-worker', 'apart', ['-q', '--queue=apart', '--sleep=0.1'], off);
      await site.until('jobs to follow one another', () => ids('one-by-one').length >= 4);
      expect(await apart.end('SIGTERM')).toMatchObject({ code: 0 });
      expect(new Set(ids('one-by-one')).size).toBe(ids('one-by-one').length);
      for (const child of children) child.send({} as never);
      const ends = await Promise.all(children.map((child) => child.ended));
      expect(ends.map(({ code, err }) => ({ code, err }))).toEqual(ends.map(() => ({ code: 0, err: '' })));

      expect(await early.end('SIGTERM')).toMatchObject({ code: 0 });
      const before = ids('one-by-one').length;
      const ended = Date.now();
      const rest = site.start('scheduled-worker', 'rest', ['-q', '--queue=default,apart', '--stop-when-empty'], off);
      expect(await rest.ended).toMatchObject({ code: 0 });
      const ticks = ids('every-second');
      expect(new Set(ticks).size).toBe(ticks.length);
      // From the first process on; the one ahead is two ticks further.
      expect(ticks.length).toBeGreaterThanOrEqual(Math.floor((until - from) / 1_000));
      expect(ticks.length).toBeLessThanOrEqual(Math.ceil((ended - site.lines()[0]!.at) / 1_000) + 3);
      expect(ids('one-by-one').length - before).toBeLessThanOrEqual(1);
      // Without a store that could know, each ran in one process.
      const here = ids('here');
      expect(here.length).toBeGreaterThanOrEqual(5);
      expect(new Set(here).size).toBe(here.length);
      const busy = site.lines('busy');
      expect(busy.length).toBeGreaterThanOrEqual(4);
      expect(busy.length).toBeLessThanOrEqual(ticks.length);
      expect(await site.left()).toEqual({ jobs: 0, failed: 0 });
    },
    START_LIMIT_MS,
  );
});

describe('a process with schedules', () => {
  it('keeps them in a worker too, and not where they are switched off', async () => {
    site = await Site.open();
    const worker = site.start('scheduled-worker', 'worker', ['-q', '--queue=default,apart', '--sleep=0.2']);
    const off = await scheduler('off', { SCHEDULES: 'off' });
    await site.until('two jobs of each schedule', (lines) =>
      ['every-second', 'one-by-one', 'here'].every((kind) => lines.filter(({ what }) => what === kind).length >= 2),
    );
    expect(site.lines('here').map(({ by }) => by)).not.toContain('off');
    // What was switched off keeps nothing alive.
    off.send({} as never);
    expect(await off.ended).toMatchObject({ code: 0 });
    expect(await worker.end('SIGTERM')).toMatchObject({ code: 0 });
    // Each ran before the next was sent, so they have overlapped nowhere, and follow one another.
    expect(site.lines('failed')).toEqual([]);
  });

  it('does not boot without the package, and says how to get it', async () => {
    site = await Site.open();
    const { code, err } = await site.start('scheduler', 'bare', [], { node: ['--import', WITHOUT_PEER] }).ended;
    expect(code).not.toBe(0);
    expect(err).toContain(
      'A schedule needs the package @nestjs/schedule, which is not installed. Run: npm i @nestjs/schedule',
    );
    const off = site.start('scheduler', 'off', [], { node: ['--import', WITHOUT_PEER], env: { SCHEDULES: 'off' } });
    await off.message();
    off.send({} as never);
    expect(await off.ended).toMatchObject({ code: 0 });
  });
});
