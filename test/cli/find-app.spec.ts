import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Module, type DynamicModule } from '@nestjs/common';
import { locateApp, pickModule } from '../../lib/cli/find-app.js';

@Module({ providers: [] })
class AppModule {}
@Module({ imports: [] })
class OtherModule {}
class Service {}

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestjs-queue-app-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(path: string, text: string): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

describe('where the application lies', () => {
  it('is dist/app.module.js by default, also from a folder below the package', () => {
    put('package.json', '{}');
    const file = put('dist/app.module.js', '');
    mkdirSync(join(folder, 'src/deep'), { recursive: true });
    expect(locateApp(undefined, folder)).toEqual({ file });
    expect(locateApp(undefined, join(folder, 'src/deep'))).toEqual({ file });
  });

  it('is what package.json says, before that', () => {
    put('package.json', '{ "nestjs-queue": { "app": "build/main.js#Root" } }');
    put('dist/app.module.js', '');
    const file = put('build/main.js', '');
    expect(locateApp(undefined, folder)).toEqual({ file, exportName: 'Root' });
  });

  it('is what --app says, before that', () => {
    put('package.json', '{ "nestjs-queue": { "app": "build/main.js" } }');
    const file = put('other.js', '');
    expect(locateApp('other.js#X', folder)).toEqual({ file, exportName: 'X' });
    expect(locateApp(file, '/')).toEqual({ file });
  });

  it.each([
    ['nothing is built', '{}', undefined, /No application found: there is no .*dist\/app\.module\.js/],
    ['--app names no file', '{}', 'nope.js', /There is no file .*nope\.js, given by --app/],
    ['package.json names no file', '{ "nestjs-queue": { "app": "x.js" } }', undefined, /x\.js, named in package\.json/],
    ['package.json says nonsense', '{ "nestjs-queue": { "app": 5 } }', undefined, /is not a path/],
    ['package.json is broken', '{', undefined, /is not valid JSON/],
  ])('says so when %s', (_case, manifest, app, message) => {
    put('package.json', manifest);
    expect(() => locateApp(app, folder)).toThrow(message);
  });
});

describe('the module among the exports', () => {
  const file = 'dist/app.module.js';

  it.each<[string, object, unknown]>([
    ['the only module', { Service, OtherModule }, OtherModule],
    ['AppModule of several', { OtherModule, AppModule }, AppModule],
    ['a default export', { default: OtherModule }, OtherModule],
    ['CommonJS, under default', { __esModule: true, default: { AppModule, OtherModule } }, AppModule],
    ['CommonJS, in both places', { AppModule, default: { AppModule }, 'module.exports': { AppModule } }, AppModule],
    ['the same one twice', { Root: OtherModule, default: OtherModule }, OtherModule],
    ['a promised one', { root: Promise.resolve(AppModule) }, AppModule],
  ])('is %s', async (_case, namespace, expected) => {
    expect(await pickModule(namespace as Record<string, unknown>, { file })).toBe(expected);
  });

  it('is a dynamic module', async () => {
    const dynamic: DynamicModule = { module: AppModule, providers: [] };
    expect(await pickModule({ default: dynamic }, { file })).toBe(dynamic);
  });

  it('is the one that was named', async () => {
    expect(await pickModule({ AppModule, OtherModule }, { file, exportName: 'OtherModule' })).toBe(OtherModule);
  });

  it.each<[string, object, string | undefined, RegExp]>([
    ['no module', { Service }, undefined, /exports no Nest module/],
    [
      'several, none of them AppModule',
      { A: class extends OtherModule {}, OtherModule },
      undefined,
      /several Nest modules: A, OtherModule/,
    ],
    ['a named one that does not exist', { AppModule }, 'Root', /export Root .* does not exist/],
    ['a named one that is no module', { Service }, 'Service', /is not a Nest module/],
  ])('is missed: %s', async (_case, namespace, exportName, message) => {
    const location = exportName ? { file, exportName } : { file };
    await expect(pickModule(namespace as Record<string, unknown>, location)).rejects.toThrow(message);
  });
});
