import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { run, type Running, start, temporary } from './checkout.js';
import { packCheckout } from './packed.js';

/*
 * The schematics as an application has them: run by the Nest CLI from the package that npm would publish. The applications are what
 * `nest new` writes in that version, as far as it matters. Takes the registry, or npm's cache.
 */

interface App {
  readonly major: 11 | 12;
  readonly manifest: object;
  /** To develop with, besides Nest's own. */
  readonly packages: Readonly<Record<string, string>>;
  /** The ending of a relative import. */
  readonly js: string;
  /** What `nest add nestjs-queue` does once it has installed the package, and what it says of the other packages. */
  readonly add: { readonly command: string; readonly says: RegExp; readonly next: string };
  readonly tests: string;
  readonly passed: RegExp;
}

const APPS: Readonly<Record<'nest12' | 'nest11', App>> = {
  nest12: {
    major: 12,
    manifest: { type: 'module', scripts: { test: 'vitest run' } },
    packages: { typescript: '~6.0.3', vitest: '^4.1.2' },
    js: '.js',
    add: {
      command: 'nest add nestjs-queue --skip-install',
      says: /libsql, typeorm\. Install that: npm install/,
      next: 'npm install',
    },
    tests: 'vitest run',
    passed: /Tests.* 3 passed.* \(3\)/,
  },
  nest11: {
    major: 11,
    manifest: {
      scripts: { test: 'jest' },
      jest: {
        moduleFileExtensions: ['js', 'json', 'ts'],
        rootDir: 'src',
        testRegex: '.*\\.spec\\.ts$',
        transform: { '^.+\\.(t|j)s$': 'ts-jest' },
        testEnvironment: 'node',
      },
    },
    packages: { typescript: '^5.9.0', jest: '^30.0.0', 'ts-jest': '^29.4.0', '@types/jest': '^30.0.0' },
    js: '',
    add: {
      command: 'schematics nestjs-queue:nest-add --source-root=src',
      says: /Packages installed successfully/,
      next: 'npm ls typeorm libsql @swc/core @swc/jest',
    },
    tests: 'jest',
    passed: /Tests: +3 passed, 3 total/,
  },
};

const workplace = temporary('schematics');
const folderOf = (name: string) => join(workplace.path, name);

function write(folder: string, files: Readonly<Record<string, string | object>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  }
}

async function newApp(name: keyof typeof APPS, tarball: string): Promise<void> {
  const { major, manifest, packages } = APPS[name];
  const folder = folderOf(name);
  const nest = (parts: readonly string[]) =>
    Object.fromEntries(parts.map((part) => [`@nestjs/${part}`, `^${major}.0.0`]));
  write(folder, {
    'package.json': {
      name,
      private: true,
      version: '1.0.0',
      ...manifest,
      dependencies: { ...nest(['common', 'core', 'platform-express']), 'reflect-metadata': '^0.2.2', rxjs: '^7.8.1' },
      devDependencies: { ...nest(['cli', 'schematics', 'testing']), '@types/node': '^20.0.0', ...packages },
    },
    'nest-cli.json': { collection: '@nestjs/schematics', sourceRoot: 'src', compilerOptions: { deleteOutDir: true } },
    'tsconfig.json': {
      compilerOptions: {
        module: 'nodenext',
        target: 'es2023',
        esModuleInterop: true,
        isolatedModules: true,
        emitDecoratorMetadata: true,
        experimentalDecorators: true,
        outDir: './dist',
        rootDir: '.',
        skipLibCheck: true,
        strict: true,
        types: ['node', ...(major === 11 ? ['jest'] : ['vitest/globals'])],
      },
    },
    'tsconfig.build.json': {
      extends: './tsconfig.json',
      compilerOptions: { rootDir: './src' },
      include: ['src'],
      exclude: ['**/*spec.ts'],
    },
    'src/app.module.ts': [
      `import { Module } from '@nestjs/common';`,
      '',
      '@Module({',
      '  imports: [],',
      '  providers: [],',
      '})',
      'export class AppModule {}',
      '',
    ].join('\n'),
  });
  await run(`npm install ../${tarball}`, { cwd: folder, seconds: 300 });
}

beforeAll(async () => {
  const { filename } = await packCheckout(workplace.path);
  await Promise.all([newApp('nest12', filename), newApp('nest11', filename)]);
}, 420_000);

afterAll(() => workplace.remove());

describe.each(['nest12', 'nest11'] as const)('the schematics in an application of %s', (name) => {
  const app = APPS[name];
  const folder = folderOf(name);
  const file = (path: string) => readFileSync(join(folder, path), 'utf8');
  /** What an npm script of the application would find. */
  const env = { PATH: `${join(folder, 'node_modules/.bin')}${delimiter}${process.env['PATH']}` };
  /** What the command says, without its colours. */
  const said = async (command: string): Promise<string> => {
    const { output } = await run(command, { cwd: folder, seconds: 120, env });
    return stripVTControlCharacters(output);
  };
  const started: Running[] = [];

  afterAll(async () => {
    for (const one of started) one.signal('SIGKILL');
    await Promise.all(started.map(({ ended }) => ended));
  });

  it('are run by the Nest CLI of that version', () => {
    const { version } = JSON.parse(file('node_modules/@nestjs/cli/package.json')) as { version: string };
    expect(version.split('.')[0]).toBe(`${app.major}`);
  });

  it('add the module, the worker, the commands and what SQLite needs', async () => {
    const added = await said(app.add.command);
    expect(added).toMatch(/CREATE src\/worker\.ts/);
    expect(added).toMatch(/CREATE src\/queue\.ts/);
    expect(added).toMatch(/UPDATE src\/app\.module\.ts/);
    expect(added).toMatch(app.add.says);
    await said(app.add.next);
    expect(file('src/app.module.ts')).toContain('imports: [QueueModule.forRoot()],');
    for (const peer of ['typeorm', 'libsql']) expect(file(`node_modules/${peer}/package.json`)).toContain('"version"');
  }, 190_000);

  it('change nothing when they add it again', async () => {
    const before = ['package.json', 'src/app.module.ts', 'src/worker.ts', 'src/queue.ts'].map(file);
    expect(await said('nest add nestjs-queue --skip-install')).toContain('Nothing to be done.');
    expect(['package.json', 'src/app.module.ts', 'src/worker.ts', 'src/queue.ts'].map(file)).toEqual(before);
  }, 60_000);

  it('generate jobs and a middleware, each with a spec, where the CLI says', async () => {
    const podcast = await said('nest g -c nestjs-queue job podcasts/ProcessPodcast --flat');
    expect(podcast).not.toContain('Jest');
    expect(podcast).toMatch(/CREATE src\/podcasts\/process-podcast\.job\.ts/);
    expect(podcast).toMatch(/CREATE src\/podcasts\/process-podcast\.job\.spec\.ts/);
    expect(await said('nest g -c nestjs-queue job-middleware Audit')).toMatch(
      /src\/audit\/audit\.job-middleware\.spec/,
    );
    expect(await said('nest g -c nestjs-queue job ImportRows rows --type batched --no-spec')).not.toContain('spec.ts');
    await said('nest g -c nestjs-queue job Now --flat --type sync');
    expect(file('src/app.module.ts')).toContain('providers: [ProcessPodcast, Audit, ImportRows, Now]');
    expect(file('src/app.module.ts')).toContain(`from './rows/import-rows/import-rows.job${app.js}';`);
  }, 120_000);

  it('say in one line what they cannot do', async () => {
    const { output } = await start('nest g -c nestjs-queue job Now --flat', { cwd: folder, seconds: 60, env }).ended;
    expect(output).toContain('Error: src/now.job.ts is there already. Choose another name, or remove it first.');
  }, 70_000);

  it('leave an application that builds, and whose worker works its jobs', async () => {
    write(folder, {
      'src/dispatch.ts': `import { NestFactory } from '@nestjs/core';
        import { QueueBus } from 'nestjs-queue';
        import { AppModule } from './app.module${app.js}';
        import { ImportRows } from './rows/import-rows/import-rows.job${app.js}';
        import { ProcessPodcast } from './podcasts/process-podcast.job${app.js}';
        async function main(): Promise<void> {
          const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
          await app.get(QueueBus).dispatch(new ProcessPodcast());
          await app.get(QueueBus).dispatch(new ImportRows());
          await app.close();
        }
        void main();`,
    });
    await said('nest build');
    await said('node dist/dispatch.js');
    const worker = start('node dist/worker.js', { cwd: folder, seconds: 60 });
    started.push(worker);
    while (!/ImportRows.*DONE/.test(worker.output())) {
      if (!worker.alive()) throw new Error(`the worker ended:\n${worker.output()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(worker.output()).toMatch(/ProcessPodcast.*DONE/);
    worker.signal('SIGTERM');
    expect((await worker.ended).code).toBe(0);
    expect(await said('node dist/queue.js queue:failed --json')).toMatch(/^\[\]$/m);
    expect(await said('nestjs-queue queue:failed --json')).toMatch(/^\[\]$/m);
  }, 190_000);

  it('write specs that pass', async () => {
    expect(await said(app.tests)).toMatch(app.passed);
  }, 130_000);
});
