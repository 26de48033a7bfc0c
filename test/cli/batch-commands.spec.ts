import { stripVTControlCharacters } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Job, Queueable } from 'nestjs-queue';
import type { Batch } from 'nestjs-queue';
import { closeApps, openApp, until, type Opened as App } from '../flows/open-app.js';
import { runCommand } from './run-command.js';

let broken = true;

@Job()
class Import extends Queueable {
  constructor(readonly fails = false) {
    super();
  }

  handle(): void {
    if (this.fails && broken) throw new Error('no such row');
  }
}

afterEach(async () => {
  broken = true;
  process.env.NODE_ENV = 'test';
  await closeApps();
});

const HOUR = 3_600_000;
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

async function open(store: 'memory' | 'database' = 'memory'): Promise<App> {
  return openApp(store, { providers: [Import] });
}

/** Two that succeed and one that fails. */
async function failing(at: App, name = 'Import CSV'): Promise<Batch> {
  const batch = await at.bus
    .batch([new Import(), new Import(true), new Import()])
    .name(name)
    .allowFailures()
    .dispatch();
  await at.drain();
  return batch;
}

describe('queue:retry-batch', () => {
  it('sends the failed jobs of each batch again, which completes it', async () => {
    const at = await open();
    const [first, second] = [await failing(at), await failing(at)];
    expect(await runCommand(at, `queue:retry-batch ${first.id} ${second.id}`)).toEqual({
      code: 0,
      out: [first, second].map(({ id }) => `Pushed 1 failed job of the batch [${id}] back onto the queue.\n`).join(''),
      err: '',
    });
    broken = false;
    await at.drain();
    expect(await first.fresh()).toMatchObject({ pendingJobs: 0, failedJobs: 0, failedJobIds: [] });
  });

  it('names batches that are not there, and does the others', async () => {
    const at = await open();
    const batch = await failing(at);
    const { code, out, err } = await runCommand(at, `queue:retry-batch ${UNKNOWN} ${batch.id}`);
    expect([code, out]).toEqual([1, `Pushed 1 failed job of the batch [${batch.id}] back onto the queue.\n`]);
    expect(err).toBe(
      `ERROR  Unable to find a batch with ID [${UNKNOWN}].\n       See what there is with queue:batches\n`,
    );
    const json = await runCommand(at, `queue:retry-batch ${UNKNOWN} --json`);
    expect([json.code, JSON.parse(json.out)]).toEqual([1, { retried: 0, failed: [UNKNOWN] }]);
  });

  it('says where none has failed, and where the records are gone', async () => {
    const at = await open();
    const fine = await at.bus.batch([new Import()]).dispatch();
    const none = await runCommand(at, `queue:retry-batch ${fine.id}`);
    expect(none.code).toBe(1);
    expect(none.err).toMatch(/^ERROR {2}The given batch does not contain any failed jobs\.\n/);
    const batch = await failing(at);
    await at.failed.flush();
    expect((await runCommand(at, `queue:retry-batch ${batch.id}`)).err).toMatch(/not recorded any more/);
    expect((await runCommand(at, 'queue:retry-batch')).err).toMatch(/^ERROR {2}No batch was named/);
  });

  it('finds the failed jobs of a batch inside', async () => {
    const at = await open();
    const inner = at.bus.batch([new Import(true), new Import()]).name('inner');
    const outer = await at.bus.batch([new Import(), inner]).name('outer').allowFailures().dispatch();
    await at.drain();
    expect(await at.failed.count()).toBe(1);
    await until(async () => (await outer.fresh())!.hasFailures(), 'the outer batch to know');
    expect(await at.failed.retryBatch(outer.id)).toBe(1);
    expect(await at.failed.count()).toBe(0);
  });
});

describe('queue:prune-batches and queue:prune-failed', () => {
  it('print one count for each kind that was asked for', async () => {
    const at = await open('database');
    await failing(at);
    await (await at.bus.batch([new Import()]).dispatch()).cancel();
    await at.bus.batch([new Import()]).dispatch();
    expect(await runCommand(at, 'queue:prune-batches')).toEqual({ code: 0, out: '0 entries deleted.\n', err: '' });
    expect((await runCommand(at, 'queue:prune-batches --unfinished=1 --cancelled=1')).out).toBe(
      '0 entries deleted.\n0 unfinished entries deleted.\n0 cancelled entries deleted.\n',
    );
    const zero = await runCommand(at, 'queue:prune-batches --hours=0 --unfinished=0 --cancelled=0 --json');
    expect(JSON.parse(zero.out)).toEqual({ finished: 1, unfinished: 1, cancelled: 1 });
    expect((await runCommand(at, 'queue:batches')).out).toBe('No batches found.\n');
    expect((await runCommand(at, 'queue:prune-batches --hours=soon')).code).toBe(1);
  });

  it('deletes failed jobs that are old enough', async () => {
    const at = await open();
    await failing(at);
    expect(await runCommand(at, 'queue:prune-failed')).toEqual({ code: 0, out: '0 entries deleted.\n', err: '' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(JSON.parse((await runCommand(at, 'queue:prune-failed --hours=0 --json')).out)).toEqual({ deleted: 1 });
    expect(await at.failed.count()).toBe(0);
  });

  it('refuses where failed jobs are not kept', async () => {
    const at = await openApp('memory', { options: { failed: { driver: 'null' } } });
    const { code, err } = await runCommand(at, 'queue:prune-failed');
    expect(code).toBe(1);
    expect(err).toMatch(/^ERROR {2}Failed jobs are not kept: the failed driver is null\.\n {7}Give/);
  });
});

describe('queue:batches', () => {
  it('lists the newest first, with bars on a terminal alone', async () => {
    const at = await open();
    const first = await failing(at);
    const second = await at.bus.batch([new Import(), new Import()]).dispatch();
    const { code, out } = await runCommand(at, 'queue:batches');
    expect(code).toBe(0);
    const [title, ...rows] = out.trimEnd().split('\n');
    expect(title).toMatch(/^Name +ID +Progress +Done +Failed +State +Age$/);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatch(new RegExp(`^- +${second.id} +0% +0/2 +0 +running +\\d+s$`));
    expect(rows[1]).toMatch(new RegExp(`^Import CSV +${first.id} +67% +2/3 +1 +finished +\\d+s$`));
    const terminal = stripVTControlCharacters(
      (await runCommand(at, 'queue:batches', { isTTY: true, columns: 140 })).out,
    );
    expect(terminal).toContain('████████░░░░  67%');
    const json = JSON.parse((await runCommand(at, 'queue:batches --json --limit=1')).out) as unknown[];
    expect(json).toEqual([JSON.parse(JSON.stringify(await second.fresh()))]);
    const older = JSON.parse((await runCommand(at, `queue:batches --json --before=${second.id}`)).out) as {
      id: string;
    }[];
    expect(older.map(({ id }) => id)).toEqual([first.id]);
    expect((await runCommand(at, 'queue:batches --limit=1')).err).toBe(`There may be more: --before=${second.id}\n`);
  });

  it('shows one with its members, by pages', async () => {
    const at = await open('database');
    const batch = await failing(at);
    const { out } = await runCommand(at, `queue:batches ${batch.id}`);
    expect(out).toMatch(/^Name +ID/);
    expect(out.match(/ done +\d{4}-/g)).toHaveLength(2);
    expect(out).toMatch(new RegExp(`${(await batch.fresh())!.failedJobIds[0]} +failed +\\d{4}-`));
    type Page = { id: string; state: string; next?: string; members: { id: string; state: string; endedAt: string }[] };
    const first = JSON.parse((await runCommand(at, `queue:batches ${batch.id} --limit=2 --json`)).out) as Page;
    expect([first.id, first.state, first.members.length]).toEqual([batch.id, 'finished', 2]);
    expect(Math.abs(Date.parse(first.members[0]!.endedAt) - Date.now())).toBeLessThan(HOUR);
    const rest = await runCommand(at, `queue:batches ${batch.id} --limit=2 --after=${first.next} --json`);
    const second = JSON.parse(rest.out) as Page;
    expect([second.members.length, second.next]).toEqual([1, undefined]);
    expect([...first.members, ...second.members].map(({ state }) => state).sort()).toEqual(['done', 'done', 'failed']);
  });

  it('cancels one, once', async () => {
    const at = await open();
    const batch = await at.bus.batch([new Import()]).dispatch();
    expect((await runCommand(at, `queue:batches ${batch.id} --cancel`)).out).toBe(`Batch [${batch.id}] cancelled.\n`);
    expect(at.names()).toContain('BatchCancelled');
    expect((await batch.fresh())!.cancelled()).toBe(true);
    expect((await runCommand(at, `queue:batches ${batch.id} --cancel`)).out).toBe(
      `Batch [${batch.id}] had been cancelled before.\n`,
    );
    const done = await failing(at);
    expect((await runCommand(at, `queue:batches ${done.id} --cancel`)).err).toMatch(
      /has finished: there is nothing to cancel/,
    );
  });

  it('does not cancel in production without being told twice', async () => {
    const at = await open();
    const batch = await at.bus.batch([new Import()]).dispatch();
    process.env.NODE_ENV = 'production';
    const { code, err } = await runCommand(at, `queue:batches ${batch.id} --cancel`);
    expect([code, err]).toEqual([
      1,
      'ERROR  This cancels a batch in production (NODE_ENV), and there is nobody to ask.\n       Give --force if it is meant.\n',
    ]);
    expect((await batch.fresh())!.cancelled()).toBe(false);
    expect((await runCommand(at, `queue:batches ${batch.id} --cancel --force`)).code).toBe(0);
  });

  it.each([
    [`queue:batches ${UNKNOWN}`, /^ERROR {2}Unable to find a batch with ID/],
    [`queue:batches ${UNKNOWN} --cancel`, /^ERROR {2}Unable to find a batch with ID/],
    [`queue:batches --before=${UNKNOWN}`, /^ERROR {2}Unable to find a batch with ID/],
    ['queue:batches --cancel', /^ERROR {2}--cancel does not go without an id/],
    ['queue:batches --after=x', /^ERROR {2}--after does not go without an id/],
    [`queue:batches ${UNKNOWN} --before=x`, /^ERROR {2}--before does not go with an id/],
  ])('refuses %s', async (args, message) => {
    const { code, out, err } = await runCommand(await open(), args);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(message);
  });
});
