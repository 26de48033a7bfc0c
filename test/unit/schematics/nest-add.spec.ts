import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { nestAdd } from '../../../lib/schematics/nest-add.js';
import { APP_MODULE, COMMONJS_APP, ESM_APP, runSchematic } from './run-schematic.js';

const add = (files: Readonly<Record<string, string>>, options = {}) =>
  runSchematic(files, nestAdd({ sourceRoot: 'src', ...options }));
const json = (text: string | undefined) => JSON.parse(text ?? '') as Record<string, Record<string, string>>;
const INSTALL = {
  name: 'node-package',
  options: { command: 'install', quiet: true, hideOutput: true, allowScripts: false },
};

describe('nest add nestjs-queue', () => {
  it('puts the module, both entries and what SQLite needs into an application', async () => {
    const { files, touched, tasks, warned } = await add(ESM_APP);
    expect(touched.toSorted()).toEqual(['package.json', 'src/app.module.ts', 'src/queue.ts', 'src/worker.ts']);
    expect(files['src/app.module.ts']).toBe(
      APP_MODULE.replace(`service.js';`, `service.js';\nimport { QueueModule } from 'nestjs-queue';`).replace(
        'imports: []',
        'imports: [QueueModule.forRoot()]',
      ),
    );
    expect(files['src/worker.ts']).toBe(`import 'reflect-metadata';
import { runWorker } from 'nestjs-queue';
import { AppModule } from './app.module.js';

await runWorker(AppModule);
`);
    expect(files['src/queue.ts']).toContain('await runQueueCli(AppModule);');
    const peers = json(readFileSync('package.json', 'utf8'))['peerDependencies']!;
    expect(Object.entries(json(files['package.json'])['dependencies']!)).toEqual([
      ['@nestjs/common', '^12.0.0'],
      ['libsql', peers['libsql']],
      ['rxjs', '^7.8.1'],
      ['typeorm', peers['typeorm']],
    ]);
    expect(json(files['package.json'])).not.toHaveProperty('nestjs-queue');
    expect(files['package.json']).toMatch(/^\{\n {2}"name"[^]*\n\}\n$/);
    expect(tasks).toEqual([INSTALL]);
    expect(warned).toEqual([]);
  });

  it('changes nothing the second time', async () => {
    for (const app of [ESM_APP, COMMONJS_APP]) {
      const { files } = await add(app);
      expect(await add(files)).toMatchObject({ touched: [], tasks: [], said: [], warned: [] });
    }
  });

  it('has Jest in CommonJS mode compile the package by SWC', async () => {
    const { files, warned } = await add(COMMONJS_APP);
    const transform = [
      ['/node_modules/', '@swc/jest'],
      ['^.+\\.(t|j)s$', 'ts-jest'],
    ];
    for (const config of [json(files['package.json'])['jest']!, json(files['test/jest-e2e.json'])]) {
      expect(Object.entries(config['transform']!)).toEqual(transform);
      const [pattern] = config['transformIgnorePatterns'] as unknown as string[];
      const ignored = (path: string) => new RegExp(pattern!).test(path);
      expect(ignored('/app/node_modules/rxjs/index.js')).toBe(true);
      expect(ignored('/app/node_modules/nestjs-queue/dist/index.js')).toBe(false);
      expect(ignored('/app/node_modules/.pnpm/nestjs-queue@1.0.0/node_modules/nestjs-queue/dist/index.js')).toBe(false);
      expect(ignored('/app/node_modules/nestjs-queue/node_modules/commander/index.js')).toBe(true);
    }
    expect(Object.keys(json(files['package.json'])['devDependencies']!)).toEqual([
      '@swc/core',
      '@swc/jest',
      '@types/jest',
      'jest',
      'ts-jest',
    ]);
    expect(files['src/worker.ts']).toContain(`from './app.module';\n\nvoid runWorker(AppModule);`);
    expect(warned).toEqual([]);
  });

  it('leaves a configuration of Jest alone that it does not know, and says so', async () => {
    const inFile = { ...COMMONJS_APP, 'package.json': COMMONJS_APP['package.json'].replace('"jest": {', '"other": {') };
    const own = {
      ...COMMONJS_APP,
      'package.json': COMMONJS_APP['package.json'].replace('"testRegex"', '"transformIgnorePatterns": [], "testRegex"'),
    };
    for (const app of [{ ...inFile, 'jest.config.js': 'module.exports = {};' }, own]) {
      const { warned, files } = await add(app);
      expect(warned).toEqual([expect.stringContaining('has to be told to compile nestjs-queue by SWC')]);
      expect(files['package.json']).not.toContain('@swc');
    }
  });

  it('keeps the options, the entries and the packages that are there', async () => {
    const app = {
      ...ESM_APP,
      'src/core/core.module.ts': `@Module({ imports: [QueueModule.forRootAsync({ useClass: Options })] })\nclass CoreModule {}`,
      'src/worker.ts': `await runWorker(AppModule);\n`,
      'src/queue.ts': `console.log('mine');\n`,
    };
    const { touched, warned, tasks } = await add(app);
    expect({ touched, tasks }).toEqual({ touched: [], tasks: [] });
    expect(warned).toEqual(['src/queue.ts is there already, and does not call runQueueCli().']);
  });

  it('leaves the installing to whoever skips it', async () => {
    const { said, tasks } = await add(ESM_APP, { skipInstall: true });
    expect(tasks).toEqual([]);
    expect(said).toContain('package.json has more in it now: libsql, typeorm. Install that: npm install');
  });

  it('names the built module in package.json where the commands would not find it', async () => {
    const built = async (files: Record<string, string>, options = {}) =>
      json((await add({ ...ESM_APP, ...files }, options)).files['package.json'])['nestjs-queue'];
    const base = (options: object) => ({ 'tsconfig.json': JSON.stringify({ compilerOptions: options }) });
    expect(await built(base({ outDir: 'build' }))).toEqual({ app: 'build/app.module.js' });
    expect(
      await built({ 'tsconfig.build.json': '{ "extends": ["@tsconfig/node20/tsconfig.json", "./tsconfig"] }' }),
    ).toBe(undefined);
    expect(
      await built({
        'nest-cli.json': '{ "compilerOptions": { "tsConfigPath": "config/build.json" } }',
        'config/build.json': '{ "compilerOptions": { "outDir": "../out" } }',
      }),
    ).toEqual({ app: 'out/app.module.js' });
    const { 'src/app.module.ts': module, ...rest } = ESM_APP;
    const renamed = await add({ ...rest, 'src/shop.module.ts': module.replace('class AppModule', 'class ShopModule') });
    expect(json(renamed.files['package.json'])['nestjs-queue']).toEqual({ app: 'dist/shop.module.js' });
    expect(renamed.files['src/queue.ts']).toContain(`import { ShopModule } from './shop.module.js';`);
    const kept = ESM_APP['package.json'].replace('"name"', '"nestjs-queue": { "app": "x.js" }, "name"');
    expect(await built({ ...base({ outDir: 'build' }), 'package.json': kept })).toEqual({ app: 'x.js' });
  });

  it('adds to one application of several, and names none in the package.json of all', async () => {
    const files = {
      ...ESM_APP,
      'nest-cli.json': '{ "monorepo": true, "projects": { "api": {} } }',
      'apps/api/src/api.module.ts': APP_MODULE.replace('class AppModule', 'class ApiModule'),
    };
    const { touched, files: after, said } = await add(files, { sourceRoot: 'apps/api/src' });
    expect(touched.filter((path) => path.startsWith('src/'))).toEqual([]);
    expect(after['apps/api/src/worker.ts']).toContain('await runWorker(ApiModule);');
    expect(json(after['package.json'])).not.toHaveProperty('nestjs-queue');
    expect(said.join()).toContain('--app: the file that apps/api/src/api.module.ts is built to');
  });

  it.each([
    ['no module at all', {}, 'there is no src/app.module.ts'],
    ['several', { 'src/a.module.ts': '', 'src/b.module.ts': '' }, 'src has several modules (a.module.ts, b.module.ts)'],
    ['a file without a module', { 'src/app.module.ts': 'export {};' }, 'src/app.module.ts has no class with @Module('],
  ])('writes nothing where there is %s, and says what to do', async (_, more, message) => {
    const { 'src/app.module.ts': module, ...rest } = ESM_APP;
    expect(module).toBe(APP_MODULE);
    await expect(add({ ...rest, ...more })).rejects.toMatchObject({
      code: 'ERR_QUEUE_SCHEMATIC',
      message: expect.stringContaining(`The application's module was not found: ${message}`),
    });
  });

  it('says so where the imports of the module are made elsewhere', async () => {
    const app = { ...ESM_APP, 'src/app.module.ts': '@Module({ imports: shared })\nexport class AppModule {}\n' };
    const { warned, files } = await add(app);
    expect(warned).toEqual(['The imports of src/app.module.ts are no plain list. Add QueueModule.forRoot() to them.']);
    expect(files['src/worker.ts']).toContain('runWorker(AppModule)');
  });
});
