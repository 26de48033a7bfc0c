import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rewrite, textOf, type Tree } from './tree.js';

interface Prettier {
  resolveConfig(path: string): Promise<object | null>;
  format(source: string, options: object): Promise<string>;
}

/** Formats files by the application's own Prettier and its settings; does nothing where it has none, as Nest's schematics do. */
export async function formatted(tree: Tree, files: readonly string[]): Promise<void> {
  const folder = process.cwd();
  let prettier: Prettier;
  try {
    const entry = createRequire(join(folder, 'package.json')).resolve('prettier');
    const loaded = (await import(pathToFileURL(entry).href)) as Prettier & { default?: Prettier };
    prettier = loaded.default ?? loaded;
  } catch {
    return;
  }
  for (const file of files) {
    const path = join(folder, file);
    const settings = await prettier.resolveConfig(path);
    rewrite(tree, file, await prettier.format(textOf(tree, file), { ...settings, filepath: path }));
  }
}
