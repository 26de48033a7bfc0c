import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../..');
const json = <T>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as T;

interface Collection {
  schematics: Record<string, { factory: string; schema: string; description: string }>;
}

describe('the collection of schematics', () => {
  const manifest = json<{ schematics: string; files: string[] }>(join(ROOT, 'package.json'));
  const file = join(ROOT, manifest.schematics);
  const { schematics } = json<Collection>(file);

  it('is where package.json says, among the files that are published', () => {
    expect(existsSync(file)).toBe(true);
    expect(manifest.files).toContain(`${dirname(manifest.schematics).slice('./'.length)}/*.json`);
  });

  it('has what is generated, and what nest add runs', () => {
    expect(Object.keys(schematics).toSorted()).toEqual(['job', 'job-middleware', 'nest-add']);
  });

  it.each(Object.entries(schematics))('%s: names a function, and a schema', async (_, { factory, schema }) => {
    const [path, name] = factory.split('#') as [string, string];
    const source = join(dirname(file), path).replace(join(ROOT, 'dist'), join(ROOT, 'lib')).replace(/\.js$/, '.ts');
    const exported = (await import(source)) as Record<string, unknown>;
    expect(exported[name]).toEqual(expect.any(Function));
    expect(json(join(dirname(file), schema))).toMatchObject({ type: 'object', properties: expect.any(Object) });
  });
});
