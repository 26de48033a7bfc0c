import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run, start, temporary } from './checkout.js';
import { type Packed, packCheckout } from './packed.js';

/*
 * The package as npm would publish it, in fresh applications outside this checkout: Nest 12 as ES modules, Nest 11 as
 * CommonJS, and one without the packages that a store needs. Takes the registry, or npm's cache.
 */

const workplace = temporary('pack');
let packed: Packed;

/** An application's folder with the tarball and `packages` installed. */
async function install(name: string, type: 'module' | 'commonjs', packages: readonly string[]): Promise<string> {
  const folder = join(workplace.path, name);
  mkdirSync(join(folder, 'src'), { recursive: true });
  // npm init's package.json: without "type" it is CommonJS.
  const manifest = { name, private: true, version: '1.0.0', ...(type === 'module' ? { type } : {}) };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  await run(`npm install ../${packed.filename} ${packages.map((one) => `'${one}'`).join(' ')}`, {
    cwd: folder,
    seconds: 240,
  });
  return folder;
}

function writeApp(folder: string, compilerOptions: object): void {
  cpSync(join(ROOT, 'test/package/app'), join(folder, 'src'), { recursive: true });
  writeTsconfig(folder, compilerOptions);
}

function writeTsconfig(folder: string, compilerOptions: object): void {
  const options = {
    module: 'nodenext',
    target: 'es2022',
    strict: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    rootDir: 'src',
    outDir: 'dist',
    typeRoots: [join(ROOT, 'node_modules/@types')],
    types: ['node'],
    ...compilerOptions,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['src'] }));
}

/** Ends by itself where the fake leaves nothing open. */
const FAKED = `
  import 'reflect-metadata';
  import { Module } from '@nestjs/common';
  import { Test } from '@nestjs/testing';
  import { Job, Queueable, QueueBus, QueueModule } from 'nestjs-queue';
  import { fakeQueue, QueueFake } from 'nestjs-queue/testing';
  @Job() class Hello extends Queueable { handle(): void {} }
  @Module({ imports: [QueueModule.forRoot()], providers: [Hello] }) class AppModule {}
  const app = await fakeQueue(Test.createTestingModule({ imports: [AppModule] })).compile();
  await app.get(QueueBus).dispatch(new Hello());
  app.get(QueueFake).assertPushed(Hello, 1);
  try {
    app.get(QueueFake).assertNothingPushed();
  } catch (error) {
    console.log((error as Error).message);
  }
`;

const TSC = `'${process.execPath}' '${join(ROOT, 'node_modules/typescript/bin/tsc')}'`;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

beforeAll(async () => {
  packed = await packCheckout(workplace.path);
}, 130_000);

afterAll(() => workplace.remove());

describe('the tarball', () => {
  it('holds the built library with its types and its papers, and nothing else', () => {
    const papers = [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'deploy/Dockerfile',
      'deploy/compose.yaml',
      'deploy/ecosystem.config.cjs',
      'deploy/kubernetes.yaml',
      'deploy/nestjs-queue@.service',
      'deploy/supervisor.conf',
      ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
      'package.json',
      'lib/schematics/collection.json',
      'lib/schematics/job-middleware.json',
      'lib/schematics/job.json',
      'lib/schematics/nest-add.json',
    ];
    const paths = packed.files.map(({ path }) => path);
    expect(paths.filter((path) => !path.startsWith('dist/')).sort()).toEqual(papers.sort());
    const built = paths.filter((path) => path.startsWith('dist/'));
    expect(built.filter((path) => !/\.(js|d\.ts)$/.test(path))).toEqual([]);
    expect(built.filter((path) => /\.(spec|test)\.|(^|\/)(test|sample|bench)\//.test(path))).toEqual([]);
    expect(built).not.toContain('dist/left-over.js');
    expect(packed.unpackedSize).toBeLessThan(3_500_000);
  });

  it('holds everything that package.json points at', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      main: string;
      types: string;
      bin: Record<string, string>;
      schematics: string;
      exports: Record<string, string | Record<string, string>>;
    };
    const targets = [
      manifest.main,
      manifest.types,
      manifest.schematics,
      ...Object.values(manifest.bin),
      ...Object.values(manifest.exports).flatMap((entry) =>
        typeof entry === 'string' ? [entry] : Object.values(entry),
      ),
    ].map((path) => path.replace(/^\.\//, ''));
    const paths = new Set(packed.files.map(({ path }) => path));
    expect(targets.filter((path) => !paths.has(path))).toEqual([]);
  });

  it('names in no file the place where it was built', () => {
    const checkout = join(workplace.path, 'checkout');
    const telling = packed.files
      .map(({ path }) => path)
      .filter((path) => path.startsWith('dist/'))
      .filter((path) => {
        const text = readFileSync(join(checkout, path), 'utf8');
        return text.includes(ROOT) || text.includes(workplace.path);
      });
    expect(telling).toEqual([]);
  });
});

describe('in fresh applications', () => {
  let folders: { nest12: string; nest11: string; bare: string };

  beforeAll(async () => {
    const common = ['reflect-metadata@^0.2', 'rxjs@^7.8'];
    const nest = (major: number) =>
      ['common', 'core', 'platform-express'].map((part) => `@nestjs/${part}@^${major}`).concat(common);
    const [nest12, nest11, bare] = await Promise.all([
      install('nest12', 'module', [...nest(12), 'typeorm@^1', 'libsql@^0.5']),
      install('nest11', 'commonjs', [...nest(11), 'typeorm@^1', 'libsql@^0.5']),
      install('bare', 'module', [...nest(12), '@nestjs/testing@^12']),
    ]);
    folders = { nest12, nest11, bare };
  }, 300_000);

  describe.each([
    ['Nest 12, ES modules', 'nest12', 12, { skipLibCheck: false }],
    ['Nest 11, CommonJS', 'nest11', 11, { skipLibCheck: true }],
  ] as const)('%s', (_, name, major, compilerOptions) => {
    const folder = () => folders[name];

    it('has the Nest that is asked for', () => {
      const manifest = readFileSync(join(folder(), 'node_modules/@nestjs/core/package.json'), 'utf8');
      expect((JSON.parse(manifest) as { version: string }).version).toMatch(new RegExp(`^${major}\\.`));
    });

    it('type-checks', async () => {
      writeApp(folder(), compilerOptions);
      const { output } = await run(TSC, { cwd: folder(), seconds: 120 });
      expect(output).toBe('');
    }, 130_000);

    it('serves a request that dispatches, and works the jobs', async () => {
      const { stdout } = await run('node dist/main.js', { cwd: folder(), seconds: 60 });
      const report = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, unknown>;
      expect(report).toEqual({
        status: 201,
        id: expect.stringMatching(UUID),
        reason: 'empty',
        written: ['from a controller'],
        failed: ['BreakNote'],
      });
    }, 70_000);

    it('has the command line, which finds the app and its failed job', async () => {
      const { stdout } = await run('npx nestjs-queue queue:failed --json', { cwd: folder(), seconds: 60 });
      expect(JSON.parse(stdout)).toEqual([
        expect.objectContaining({ id: expect.stringMatching(UUID), name: 'BreakNote', queue: 'default' }),
      ]);
      const retry = await run('npx nestjs-queue queue:retry all', { cwd: folder(), seconds: 60 });
      expect(retry.output).not.toMatch(/error/i);
      const work = await run('npx nestjs-queue queue:work --stop-when-empty', { cwd: folder(), seconds: 60 });
      expect(work.stdout).toMatch(/BreakNote.*FAIL/);
    }, 190_000);
  });

  describe('without the packages of a store', () => {
    const source = (connections: string) => `
      import 'reflect-metadata';
      import { Module } from '@nestjs/common';
      import { NestFactory } from '@nestjs/core';
      import { Job, Queueable, QueueBus, QueueModule, WorkerService } from 'nestjs-queue';
      @Job() class Hello extends Queueable { handle(): void { console.log('hello'); } }
      @Module({ imports: [QueueModule.forRoot(${connections})], providers: [Hello] }) class AppModule {}
      const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'], abortOnError: false });
      await app.get(QueueBus).dispatch(new Hello());
      await app.get(WorkerService).work({ stopWhenEmpty: true });
      await app.close();
    `;

    beforeAll(async () => {
      writeTsconfig(folders.bare, { skipLibCheck: false });
      writeFileSync(join(folders.bare, 'src/memory.ts'), source(`{ default: 'memory', failed: { driver: 'memory' } }`));
      writeFileSync(join(folders.bare, 'src/database.ts'), source(''));
      writeFileSync(join(folders.bare, 'src/faked.ts'), FAKED);
      await run(TSC, { cwd: folders.bare, seconds: 120 });
    }, 130_000);

    it('runs on memory', async () => {
      const { stdout } = await run('node dist/memory.js', { cwd: folders.bare, seconds: 60 });
      expect(stdout).toContain('hello');
    }, 70_000);

    it('fakes the queue of an app whose store is not installed, without any test runner', async () => {
      const { stdout } = await run('node dist/faked.js', { cwd: folders.bare, seconds: 60 });
      expect(stdout).toContain('The following jobs were pushed unexpectedly:');
      expect(stdout).toContain('Hello on "default" (connection "database")');
    }, 70_000);

    it('names what is missing for SQLite and the command that installs it', async () => {
      const { code, output } = await start('node dist/database.js', { cwd: folders.bare, seconds: 60 }).ended;
      expect(code).not.toBe(0);
      expect(output).toMatch(/not installed/);
      expect(output).toContain('npm i typeorm libsql');
    }, 70_000);
  });
});
