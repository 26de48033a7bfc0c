import { describe, expect, it } from '@jest/globals';
import { job, type JobOptions } from '../../../lib/schematics/job.js';
import { jobMiddleware } from '../../../lib/schematics/job-middleware.js';
import { APP_MODULE, COMMONJS_APP, ESM_APP, runSchematic } from './run-schematic.js';

const FILE = 'src/process-podcast/process-podcast.job.ts';
const SPEC = 'src/process-podcast/process-podcast.job.spec.ts';

/** What the Nest CLI always passes. */
const given = (name: string, more: Partial<JobOptions> = {}): JobOptions => ({
  name,
  language: 'ts',
  sourceRoot: 'src',
  spec: true,
  flat: false,
  specFileSuffix: 'spec',
  skipImport: false,
  ...more,
});

describe('nest g -c nestjs-queue job', () => {
  it('writes a job and its spec, and lists the job in the nearest module', async () => {
    const { files, touched, warned } = await runSchematic(ESM_APP, job(given('process-podcast')));
    expect(touched.toSorted()).toEqual(['src/app.module.ts', SPEC, FILE]);
    expect(warned).toEqual([]);
    expect(files[FILE]).toBe(`import { Job, Queueable } from 'nestjs-queue';

@Job()
export class ProcessPodcast extends Queueable {
  handle(): void {
    // What the constructor keeps travels with the job,
    // what handle() takes is injected where it runs.
  }
}
`);
    expect(files[SPEC]).toBe(`import { Test } from '@nestjs/testing';
import { QueueModule } from 'nestjs-queue';
import { runJob } from 'nestjs-queue/testing';
import { describe, expect, it } from 'vitest';
import { ProcessPodcast } from './process-podcast.job.js';

describe('ProcessPodcast', () => {
  it('is done', async () => {
    const app = await Test.createTestingModule({
      imports: [QueueModule.forRoot({ default: 'memory' })],
      providers: [ProcessPodcast],
    }).compile();

    const result = await runJob(app, new ProcessPodcast());

    expect(result).toEqual({ outcome: 'done' });

    await app.close();
  });
});
`);
    expect(files['src/app.module.ts']).toBe(
      APP_MODULE.replace(
        `app.service.js';`,
        `app.service.js';\nimport { ProcessPodcast } from './process-podcast/process-podcast.job.js';`,
      ).replace('[AppService]', '[AppService, ProcessPodcast]'),
    );
  });

  it('leaves the endings off and the globals alone in a CommonJS application with Jest', async () => {
    const { files, warned } = await runSchematic(COMMONJS_APP, job(given('process-podcast')));
    expect(files['src/app.module.ts']).toContain(`from './process-podcast/process-podcast.job';`);
    expect(files[SPEC]).toContain(`from './process-podcast.job';`);
    expect(files[SPEC]).not.toMatch(/vitest|@jest/);
    expect(warned).toEqual([
      expect.stringMatching(/^Jest, in CommonJS mode, .*"nest add nestjs-queue --skip-install"/),
    ]);
  });

  it('says nothing of Jest where it knows the package, or runs ES modules', async () => {
    const manifest = (text: string) => ({ ...COMMONJS_APP, 'package.json': text });
    const known = COMMONJS_APP['package.json'].replace(
      '"testRegex"',
      '"transformIgnorePatterns": ["nestjs-queue"], "testRegex"',
    );
    const esm = COMMONJS_APP['package.json'].replace('"test": "jest"', '"test": "node --experimental-vm-modules jest"');
    for (const text of [known, esm]) {
      expect((await runSchematic(manifest(text), job(given('x')))).warned).toEqual([]);
    }
    const inFile = {
      ...COMMONJS_APP,
      'jest.config.ts': `export default { transformIgnorePatterns: ['nestjs-queue'] };`,
    };
    expect((await runSchematic(inFile, job(given('x')))).warned).toEqual([]);
    expect((await runSchematic(COMMONJS_APP, job(given('x', { spec: false })))).warned).toEqual([]);
  });

  it('imports the globals from @jest/globals where their types come from there', async () => {
    const text = COMMONJS_APP['package.json'].replace('@types/jest', '@jest/globals');
    const { files } = await runSchematic({ ...COMMONJS_APP, 'package.json': text }, job(given('process-podcast')));
    expect(files[SPEC]!.split('\n')[0]).toBe(`import { describe, expect, it } from '@jest/globals';`);
  });

  it.each<[string, Partial<JobOptions>, string[]]>([
    [
      'podcasts/process-podcast',
      {},
      [
        'src/podcasts/process-podcast/process-podcast.job.spec.ts',
        'src/podcasts/process-podcast/process-podcast.job.ts',
      ],
    ],
    ['podcasts/process-podcast', { flat: true, spec: false }, ['src/podcasts/process-podcast.job.ts']],
    ['ProcessPodcast', { path: 'podcasts', flat: true, spec: false }, ['src/podcasts/process-podcast.job.ts']],
    [
      'process_podcast',
      { flat: true, specFileSuffix: 'test' },
      ['src/process_podcast.job.test.ts', 'src/process_podcast.job.ts'],
    ],
    ['x', { sourceRoot: 'apps\\api/src', flat: true, spec: false }, ['apps/api/src/x.job.ts']],
  ])('%s with %j is %j', async (name, options, expected) => {
    const { touched } = await runSchematic(ESM_APP, job(given(name, { ...options, skipImport: true })));
    expect(touched.toSorted()).toEqual(expected);
  });

  it('takes the module of its folder before that of the application', async () => {
    const files = { ...ESM_APP, 'src/podcasts/podcasts.module.ts': '@Module({})\nexport class PodcastsModule {}\n' };
    const { touched, files: after } = await runSchematic(
      files,
      job(given('podcasts/process-podcast', { spec: false })),
    );
    expect(touched).not.toContain('src/app.module.ts');
    expect(after['src/podcasts/podcasts.module.ts']).toBe(
      `import { ProcessPodcast } from './process-podcast/process-podcast.job.js';\n` +
        '@Module({\n  providers: [ProcessPodcast],\n})\nexport class PodcastsModule {}\n',
    );
  });

  it('goes by the package.json of the folder in a workspace', async () => {
    const files = { ...ESM_APP, 'apps/old/package.json': '{}', 'apps/old/src/app.module.ts': APP_MODULE };
    const { files: after } = await runSchematic(files, job(given('x', { sourceRoot: 'apps/old/src', flat: true })));
    expect(after['apps/old/src/app.module.ts']).toContain(`from './x.job';`);
    expect(after['apps/old/src/x.job.spec.ts']).toContain(`from 'vitest'`);
  });

  it('writes a member of batches, and a job that runs at once', async () => {
    const batched = await runSchematic(ESM_APP, job(given('rows', { type: 'batched', flat: true })));
    expect(batched.files['src/rows.job.ts']).toContain('@Job()\n@Middleware(SkipIfBatchCancelled)\nexport class Rows');
    expect(batched.files['src/rows.job.spec.ts']).toContain('new Rows().withFakeBatch()');
    const sync = await runSchematic(ESM_APP, job(given('now', { type: 'sync', flat: true })));
    expect(sync.files['src/now.job.ts']).toContain(`@Job({ connection: 'sync' })\nexport class Now`);
  });

  it('does not list another class of that name', async () => {
    const module = `import { X } from './other.js';\n${APP_MODULE}`;
    const files = { ...ESM_APP, 'src/app.module.ts': module };
    const { warned, touched } = await runSchematic(files, job(given('x', { spec: false })));
    expect(warned).toEqual([expect.stringMatching(/^src\/app\.module\.ts imports another X\./)]);
    expect(touched).toEqual(['src/x/x.job.ts']);
  });

  it('says where the class could not be listed', async () => {
    const shared = { ...ESM_APP, 'src/app.module.ts': '@Module({ providers: shared })\nexport class AppModule {}\n' };
    const { warned, touched } = await runSchematic(shared, job(given('x', { spec: false })));
    expect(warned).toEqual(['The providers of src/app.module.ts are no plain list. Add X to them.']);
    expect(touched).toEqual(['src/x/x.job.ts']);
    const { 'src/app.module.ts': _, ...none } = ESM_APP;
    expect((await runSchematic(none, job(given('x', { spec: false })))).warned).toEqual([
      'No module was found above src/x/x.job.ts. List X in the providers of one.',
    ]);
  });

  it.each<[string, Partial<JobOptions>, string]>([
    ['2fa', {}, '"2fa" gives no name for a class. Begin with a letter: ProcessPodcast.'],
    ['queueable', {}, 'Queueable is a name that the file itself imports. Choose another one.'],
    ['x', { language: 'js' }, 'nestjs-queue writes TypeScript, and nest-cli.json says "language": "js".'],
    ['there', { flat: true }, 'src/there.job.ts is there already. Choose another name, or remove it first.'],
  ])('refuses %s with %j', async (name, options, message) => {
    const files = { ...ESM_APP, 'src/there.job.ts': '' };
    await expect(runSchematic(files, job(given(name, options)))).rejects.toMatchObject({
      code: 'ERR_QUEUE_SCHEMATIC',
      message,
    });
  });

  it('refuses a kind of job that there is none of, and a package.json that cannot be read', async () => {
    const wrong = given('x', { type: 'wrong' as 'sync' });
    expect(() => job(wrong)).toThrow('There is no job of the type "wrong". There are: batched, sync.');
    const broken = { ...ESM_APP, 'package.json': '{' };
    await expect(runSchematic(broken, job(given('x')))).rejects.toThrow('package.json is not valid JSON');
  });

  it('formats by the Prettier of the application', async () => {
    const module = APP_MODULE.replace('[AppService]', '[ AppService ]');
    const files = { ...ESM_APP, 'src/app.module.ts': module };
    const { files: after } = await runSchematic(files, job(given('x', { format: true, spec: false })));
    expect(after['src/app.module.ts']).toContain('providers: [AppService, X],');
  });
});

describe('nest g -c nestjs-queue job-middleware', () => {
  it('writes a middleware and a spec with a job of its own', async () => {
    const { files, touched } = await runSchematic(ESM_APP, jobMiddleware(given('audit')));
    expect(touched).toHaveLength(3);
    expect(files['src/audit/audit.job-middleware.ts']).toMatch(
      /@Injectable\(\)\nexport class Audit implements JobMiddleware \{[^]*await next\(\);/,
    );
    expect(files['src/audit/audit.job-middleware.spec.ts']).toContain(
      '@Job()\n@Middleware(Audit)\nclass Probe extends',
    );
    expect(files['src/app.module.ts']).toContain('providers: [AppService, Audit]');
  });
});
