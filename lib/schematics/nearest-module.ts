import { posix } from 'node:path';
import type { Folder, Tree } from './tree.js';

const MODULE = /\.module\.ts$/;

/**
 * The module file in a folder or the nearest one above it. Where a folder has several: the one that is named after it, else
 * `app.module.ts`, else the first.
 */
export function nearestModule(tree: Tree, from: string): string | undefined {
  for (let folder: Folder | null = tree.getDir(from); folder; folder = folder.parent) {
    const file = moduleIn(folder);
    if (file) return file;
  }
  return undefined;
}

/** The module file of one folder, by the same rule. */
export function moduleIn({ path, subfiles }: Folder): string | undefined {
  const files = subfiles.filter((name) => MODULE.test(name));
  const own = [`${posix.basename(path)}.module.ts`, 'app.module.ts'].find((name) => files.includes(name));
  const file = own ?? files[0];
  return file && posix.join(path, file);
}

/** How a file of the application imports another: relative, with the ending that ES modules need. */
export function importPath(from: string, to: string, esm: boolean): string {
  const path = posix.relative(posix.dirname(posix.join('/', from)), posix.join('/', to)).replace(/\.ts$/, '');
  return (path.startsWith('.') ? path : `./${path}`) + (esm ? '.js' : '');
}
