import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { buildFixture, type Fixture } from '../support/build-fixture.js';
import { NodeProcess, temporaryFolder, type Ended } from './processes.js';

let fixture: Fixture;
let folder: ReturnType<typeof temporaryFolder>;
let processes: NodeProcess[];

beforeAll(async () => {
  fixture = await buildFixture('cli', 'test/cli/fixture');
}, 60_000);
beforeEach(() => {
  folder = temporaryFolder();
  processes = [];
});
afterEach(async () => {
  for (const one of processes) one.kill('SIGKILL');
  await Promise.all(processes.map((one) => one.ended));
  folder.remove();
});

function start(file: string, args: readonly string[], env?: Record<string, string>): NodeProcess {
  const one = new NodeProcess([file, ...args], folder.path, env);
  processes.push(one);
  return one;
}

/** What takes longer to load than Node itself, and the application of the tests needs. */
const HEAVY = ['@nestjs/core'];

/** A module that has Node write the name of every package that is imported. */
const NAMES_PACKAGES = dataUrl(`
  import { register } from 'node:module';
  register(${JSON.stringify(
    dataUrl(`
      export async function resolve(specifier, context, next) {
        const found = await next(specifier, context);
        const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(found.url)?.[1];
        if (name) process._rawDebug('package ' + name);
        return found;
      }`),
  )});`);

function dataUrl(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code).replaceAll("'", '%27')}`;
}

const app = (file = 'app.module.js'): string => `--app=${join(fixture.folder, file)}`;
const bin = (...args: string[]): NodeProcess => start(fixture.bin, [...args, app()]);
const run = (...args: string[]): Promise<Ended> => bin(...args).ended;

async function dispatch(...jobs: readonly (readonly string[])[]): Promise<{ id: string; queue: string }[]> {
  const ended = await start(join(fixture.folder, 'dispatch.js'), [JSON.stringify(jobs)]).ended;
  if (ended.code !== 0) throw new Error(ended.err);
  return JSON.parse(ended.out) as { id: string; queue: string }[];
}

/** What the jobs of the fixture write themselves, without the log around it. */
const greeted = (text: string): string[] => text.match(/^(?:Hello \w+|dozing|woke)$/gm) ?? [];

const lines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('starting', () => {
  it('shows help and refuses a wrong option before it loads anything', async () => {
    const loaded = async (...args: string[]): Promise<{ readonly ended: Ended; readonly packages: Set<string> }> => {
      const ended = await start(fixture.bin, args, { NODE_OPTIONS: `--import "${NAMES_PACKAGES}"` }).ended;
      const packages = [...ended.err.matchAll(/^package (.*)\n/gm)].map(([, name]) => name!);
      return { ended: { ...ended, err: ended.err.replace(/^package .*\n/gm, '') }, packages: new Set(packages) };
    };
    const help = await loaded('--help');
    expect(help.ended).toMatchObject({ code: 0, err: '' });
    expect(help.ended.out).toContain('queue:work');
    for (const heavy of HEAVY) expect(help.packages).not.toContain(heavy);
    const wrong = await loaded('queue:work', '--tires=3');
    expect(wrong.ended).toMatchObject({ code: 1, out: '' });
    expect(wrong.ended.err).toContain('Did you mean --tries?');
    for (const heavy of HEAVY) expect(wrong.packages).not.toContain(heavy);
    const { packages } = await loaded('queue:failed', app());
    for (const heavy of HEAVY) expect(packages).toContain(heavy);
  });

  it('finds the application by package.json, and says what is missing', async () => {
    const missing = await start(fixture.bin, ['queue:failed']).ended;
    expect(missing).toMatchObject({ code: 1, out: '' });
    expect(missing.err).toMatch(/^ERROR {2}No application found: .*\n {7}Build the application first.*\n$/);

    const manifest = { 'nestjs-queue': { app: join(fixture.folder, 'app.module.js') } };
    writeFileSync(join(folder.path, 'package.json'), JSON.stringify(manifest));
    expect(await start(fixture.bin, ['queue:failed']).ended).toMatchObject({ code: 0, out: 'No failed jobs found.\n' });
  });

  it('runs an application that is CommonJS', async () => {
    const file = join(fixture.folder, 'app.cjs');
    writeFileSync(
      file,
      `const { Module } = require('@nestjs/common');
       const { QueueModule } = require('nestjs-queue');
       class AppModule {}
       Module({ imports: [QueueModule.forRoot()] })(AppModule);
       exports.AppModule = AppModule;`,
    );
    expect(await start(fixture.bin, ['queue:failed', `--app=${file}`]).ended).toMatchObject({
      code: 0,
      out: 'No failed jobs found.\n',
    });
  });

  it('names an application without QueueModule', async () => {
    const { code, err } = await start(fixture.bin, ['queue:failed', app('no-queue.module.js')]).ended;
    expect(code).toBe(1);
    expect(err).toMatch(/^ERROR {2}The application does not import QueueModule/);
  });

  it('names an unknown connection in two lines, without a stack', async () => {
    const { code, out, err } = await run('queue:work', 'nowhere');
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^ERROR {2}.*nowhere.*\n {7}\S.*\n$/);
    expect((await run('queue:clear', 'nowhere', '--force')).code).toBe(1);
  });
});

describe('queue:work', () => {
  it('prints a line when a job starts and one when it has ended, when piped without colours', async () => {
    await dispatch(['Greet', 'Ada'], ['Explode', 'boom']);
    const { code, out, err } = await run('queue:work', '--stop-when-empty');
    expect(code).toBe(0);
    const shown = out.trimEnd().split('\n');
    expect(shown).toHaveLength(4);
    expect(shown[0]).toMatch(/^ {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Greet \.+ RUNNING$/);
    expect(shown[1]).toMatch(/^ {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d Greet \.+ [\d.]+ms DONE$/);
    expect(shown[2]).toMatch(/ Explode \.+ RUNNING$/);
    expect(shown[3]).toMatch(/ Explode \.+ [\d.]+ms FAIL$/);
    expect(out).not.toContain('\u001b');
    expect(err).toContain('Hello Ada');
  }, 30_000);

  it('prints one object a line with --json', async () => {
    const [greet, explode, stumble] = await dispatch(['Greet', 'Ada'], ['Explode', 'boom'], ['Stumble', '']);
    const { code, out } = await run('queue:work', '--stop-when-empty', '--json', '--concurrency=1');
    expect(code).toBe(0);
    const all = lines(out);
    const of = (id: string): string[] =>
      all.filter((line) => line.id === id).map((line) => [line.status, line.result, line.attempts].join(' '));
    expect(of(greet!.id)).toEqual(['starting  1', 'success deleted 1']);
    expect(of(explode!.id)).toEqual(['starting  1', 'failed failed 1']);
    expect(of(stumble!.id)).toEqual([
      'starting  1',
      'released_after_exception released 1',
      'starting  2',
      'success released 2',
      'starting  3',
      'success deleted 3',
    ]);
    const end = all.find((line) => line.id === explode!.id && line.status === 'failed')!;
    expect(end).toEqual({
      level: 'warning',
      id: explode!.id,
      uuid: explode!.id,
      connection: 'database',
      queue: 'default',
      job: 'Explode',
      status: 'failed',
      result: 'failed',
      attempts: 1,
      exception: 'RangeError',
      message: 'boom',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d$/),
      duration: expect.any(Number),
    });
  }, 30_000);

  it('says nothing with --quiet, and more with -v', async () => {
    const [first] = await dispatch(['Greet', 'Ada']);
    expect(await run('queue:work', '--stop-when-empty', '--quiet')).toMatchObject({
      code: 0,
      out: '',
      err: 'Hello Ada\n',
    });
    const [second] = await dispatch(['Greet', 'Bob']);
    const { out, err } = await run('queue:work', '--stop-when-empty', '-v');
    expect(out).not.toContain(first!.id);
    expect(out).toMatch(new RegExp(` Greet ${second!.id} database default \\.+ \\d+MB [\\d.]+ms DONE\n$`));
    expect(err).toContain('Nest');
  }, 30_000);

  it('lets the application’s own log through on stderr, without the lines of Nest’s boot', async () => {
    await dispatch(['Chat', 'Ada']);
    const { code, out, err } = await run('queue:work', '--stop-when-empty', '--json', '--concurrency=3');
    expect([code, lines(out).length]).toEqual([0, 2]);
    const logged = [...err.matchAll(/ (LOG|WARN|ERROR|DEBUG|VERBOSE|FATAL) \[(\w+)\] (.*)$/gm)].map((one) =>
      one.slice(1),
    );
    expect(logged).toEqual([
      ['LOG', 'Queue', expect.stringMatching(/^Worker started on database, queue default, concurrency 3, pid \d+\.$/)],
      ['LOG', 'Chat', 'Ada says hello'],
      ['DEBUG', 'Chat', 'Ada mutters'],
      ['WARN', 'Chat', 'Ada warns'],
      ['LOG', 'Queue', 'Worker stopped (empty, exit code 0) after 1 job.'],
    ]);

    await dispatch(['Chat', 'Bob']);
    const quiet = await run('queue:work', '--stop-when-empty', '--quiet');
    expect(quiet).toMatchObject({ code: 0, out: '', err: '' });
    expect((await run('queue:failed')).err).toBe('');
  }, 30_000);

  it('hands a job back that its grace is too short for', async () => {
    await dispatch(['Doze', '20000']);
    const worker = bin('queue:work', '--grace=0.2', '--json');
    await worker.printed('dozing');
    const { out } = await worker.end('SIGTERM');
    expect(lines(out).map((line) => [line.status, line.result])).toEqual([
      ['starting', undefined],
      ['released', 'released'],
    ]);
  }, 30_000);

  it('says that nothing is queued on a connection that keeps no jobs', async () => {
    const { code, err } = await run('queue:work', 'sync', '--stop-when-empty');
    expect(code).toBe(0);
    expect(err).toContain('keeps no jobs');
    expect((await run('queue:work', '--help')).out).not.toMatch(/redis/);
  }, 30_000);

  it('works queues in the order they are named in, and --once only one job', async () => {
    await dispatch(['Greet', 'low', 'low'], ['Greet', 'high', 'high']);
    const once = await run('queue:work', '--queue=high,low', '--once');
    expect([once.code, greeted(once.err)]).toEqual([0, ['Hello high']]);
    const rest = await run('queue:work', '--queue=high,low', '--max-jobs=1');
    expect([rest.code, greeted(rest.err)]).toEqual([0, ['Hello low']]);
  }, 30_000);

  it('--memory ends it with 12', async () => {
    expect((await run('queue:work', '--memory=1')).code).toBe(12);
  }, 30_000);

  it('a job that cannot be stopped ends it with 1', async () => {
    await dispatch(['Doze', '30000']);
    const { code, out, took } = await run('queue:work', '--timeout=0.2', '--timeout-grace=0.2');
    expect(code).toBe(1);
    expect(out).toMatch(/ Doze \.+ .* FAIL\n$/);
    expect(took).toBeLessThan(8_000);
  }, 30_000);
});

describe('signals', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)(
    '%s while idle ends it at once',
    async (signal) => {
      const worker = bin('queue:work', '-v');
      await worker.printed('Worker started');
      await new Promise((resolve) => setTimeout(resolve, 200));
      const { code, took } = await worker.end(signal);
      expect(code).toBe(0);
      expect(took).toBeLessThan(500);
    },
    30_000,
  );

  it('SIGTERM while the application boots ends it at once', async () => {
    const worker = start(fixture.bin, ['queue:work', app('slow.module.js')]);
    await worker.printed('booting');
    const { code, took } = await worker.end('SIGTERM');
    expect(code).toBe(0);
    expect(took).toBeLessThan(600);
  }, 30_000);

  it('SIGTERM lets a job end', async () => {
    await dispatch(['Doze', '1000'], ['Greet', 'late']);
    const worker = bin('queue:work');
    await worker.printed('dozing');
    const { code, out, err } = await worker.end('SIGTERM');
    expect([code, greeted(err)]).toEqual([0, ['dozing', 'woke']]);
    expect(err).toMatch(/Queue\] SIGTERM: the worker on database, queue default ends after its running jobs\.\n/);
    expect(out).toMatch(/ Doze \.+ .* DONE\n$/);
  }, 30_000);

  it('a second one gives the job back and ends it with 1; one right behind the first does not', async () => {
    await dispatch(['Doze', '20000']);
    const worker = bin('queue:work', '--grace=15');
    await worker.printed('dozing');
    worker.kill('SIGINT');
    worker.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    const { code, took, out } = await worker.end('SIGTERM');
    expect(code).toBe(1);
    expect(took).toBeLessThan(4_000);
    expect(out).toMatch(/ Doze \.+ .* RELEASED\n$/);
    const next = bin('queue:work', '--json');
    await next.printed('dozing');
    expect(lines(next.out)[0]).toMatchObject({ job: 'Doze', status: 'starting', attempts: 1 });
  }, 30_000);

  it('SIGUSR2 pauses it, SIGCONT lets it go on', async () => {
    const worker = bin('queue:work', '--sleep=0.1', '-v');
    await worker.printed('Worker started');
    worker.kill('SIGUSR2');
    await new Promise((resolve) => setTimeout(resolve, 300));
    await dispatch(['Greet', 'Ada']);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(worker.err).not.toContain('Hello Ada');
    worker.kill('SIGCONT');
    await worker.printed('Hello Ada');
    expect((await worker.end('SIGTERM')).code).toBe(0);
  }, 30_000);
});

describe('queue:monitor', () => {
  it('ends when those who listen have sent word', async () => {
    await dispatch(['Greet', 'Ada'], ['Greet', 'Bea']);
    const args = ['queue:monitor', 'default', '--max=2', '--json', app('alarm.module.js')];
    const { code, out, err } = await start(fixture.bin, args).ended;
    expect([code, err]).toEqual([0, 'told of database:default with 2\n']);
    expect(JSON.parse(out)).toMatchObject([{ connection: 'database', queue: 'default', total: 2, status: 'alert' }]);
  }, 30_000);
});

describe('pausing', () => {
  it('stops a worker of another process, and lets it go on', async () => {
    const worker = bin('queue:work', '--sleep=0.3');
    await worker.printed('Worker started');
    expect((await run('queue:pause', '--connection=database')).code).toBe(0);
    await worker.printed(/ \[default\] database \.+ PAUSED\n/);
    await dispatch(['Greet', 'Ada']);
    const listed = await run('queue:inspect', '--json');
    expect(JSON.parse(listed.out)).toMatchObject([{ name: 'Greet', attempts: 0 }]);
    expect(worker.err).not.toContain('Hello Ada');
    expect((await run('queue:continue', '--connection=database')).code).toBe(0);
    await worker.printed('Hello Ada');
    expect((await worker.end('SIGTERM')).code).toBe(0);
  }, 40_000);
});

describe('failed jobs', () => {
  it('are listed, sent again and deleted', async () => {
    const [one, two] = await dispatch(['Explode', 'boom'], ['Explode', 'bang', 'high']);
    await run('queue:work', '--queue=default,high', '--stop-when-empty');

    const table = await run('queue:failed');
    expect(table.code).toBe(0);
    expect(table.out.split('\n')).toHaveLength(4);
    expect(table.out).toMatch(new RegExp(`${one!.id} +database@default +Explode +RangeError: boom`));
    const listed = JSON.parse((await run('queue:failed', '--json')).out) as Record<string, unknown>[];
    expect(listed.map((job) => job.id)).toEqual([two!.id, one!.id]);
    expect(listed[0]).toMatchObject({ connection: 'database', queue: 'high', name: 'Explode' });
    expect(new Date(listed[0]!.failedAt as string).toISOString()).toBe(listed[0]!.failedAt);

    const some = await run('queue:retry', one!.id, 'nope');
    expect([some.code, some.out]).toEqual([1, 'Pushed 1 failed job back onto the queue.\n']);
    expect(some.err).toContain('Unable to find failed job with ID [nope].');
    const worked = lines((await run('queue:work', '--stop-when-empty', '--json')).out);
    expect(worked.map((line) => [line.id, line.status])).toEqual([
      [one!.id, 'starting'],
      [one!.id, 'failed'],
    ]);

    expect(await run('queue:forget', two!.id)).toMatchObject({ code: 0, out: 'Failed job deleted successfully.\n' });
    expect((await run('queue:forget', two!.id)).code).toBe(1);
    expect((await run('queue:retry', '--queue=high')).code).toBe(1);
    expect(await run('queue:flush')).toMatchObject({ code: 0, out: 'All failed jobs deleted successfully.\n' });
    expect(await run('queue:failed')).toMatchObject({ code: 0, out: 'No failed jobs found.\n' });
    expect(await run('queue:retry', 'all')).toMatchObject({ code: 0, out: 'No retryable jobs found.\n' });
  }, 60_000);
});

describe('queue:clear and queue:restart', () => {
  it('clears the queues that are named', async () => {
    await dispatch(['Greet', 'a'], ['Greet', 'b'], ['Greet', 'c', 'high']);
    expect(await run('queue:clear', '--queue=high, default')).toMatchObject({
      code: 0,
      out: 'Cleared 1 job from the [high] queue\nCleared 2 jobs from the [default] queue\n',
    });
    expect((await run('queue:clear')).out).toBe('Cleared 0 jobs from the [default] queue\n');
  }, 30_000);

  it('is refused in production without --force', async () => {
    const refused = await start(fixture.bin, ['queue:clear', app()], { NODE_ENV: 'production' }).ended;
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toContain('--force');
  }, 30_000);

  it('gives up on a store that is locked', async () => {
    await dispatch(['Greet', 'Ada']);
    const holder = start(join(fixture.folder, 'hold.js'), ['queue.sqlite']);
    await holder.printed('held');
    const { code, out, err, took } = await run('queue:clear');
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^ERROR {2}.*locked.*\n {7}\S.*\n$/);
    expect(took).toBeLessThan(11_000);
  }, 30_000);

  it('ends the workers that run', async () => {
    const worker = bin('queue:work', '--sleep=0.2', '-v');
    await worker.printed('Worker started');
    expect(await run('queue:restart')).toMatchObject({ code: 0, out: 'Broadcasting queue restart signal.\n' });
    const { code, err } = await worker.ended;
    expect(code).toBe(0);
    expect(err).toContain('restart_signal');
  }, 30_000);
});

describe('an application with a worker of its own', () => {
  it('works no job while a command runs', async () => {
    await dispatch(['Greet', 'Ada']);
    const { err, out } = await start(fixture.bin, ['queue:clear', app('in-app-worker.module.js')]).ended;
    expect(err).not.toContain('Hello Ada');
    expect(out).toBe('Cleared 1 job from the [default] queue\n');
  }, 30_000);
});

describe('entry files', () => {
  it('runWorker takes the arguments of queue:work, also as nest start --no-shell quotes them', async () => {
    await dispatch(['Greet', 'Ada', 'high']);
    const args = ['"database"', '"--queue=high,default"', '"--stop-when-empty"', '"--json"'];
    const { code, out } = await start(join(fixture.folder, 'worker.js'), args).ended;
    expect(code).toBe(0);
    expect(lines(out).map((line) => line.status)).toEqual(['starting', 'success']);
    expect((await start(join(fixture.folder, 'worker.js'), ['--help']).ended).out).toMatch(
      /^Usage: worker \[options\]/,
    );
  }, 30_000);

  it('runQueueCli takes a command', async () => {
    expect(await start(join(fixture.folder, 'queue.js'), ['queue:failed', '--json']).ended).toMatchObject({
      code: 0,
      out: '[]\n',
    });
  }, 30_000);
});
