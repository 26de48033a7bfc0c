import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { SchematicError } from './schematic-error.js';
import { type Folder, textOf, type Tree } from './tree.js';

/** The parts of a package.json that decide what fits an application. */
export interface Manifest {
  readonly type?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly jest?: unknown;
  readonly 'nestjs-queue'?: unknown;
}

/** What an application is written with. */
export interface AppPackage {
  /** ES modules: relative imports end in `.js`, and `await` may stand alone. */
  readonly esm: boolean;
  /** The module that a spec imports `describe`, `it` and `expect` from; none where they are global. */
  readonly testGlobals: 'vitest' | '@jest/globals' | undefined;
  readonly manifest: Manifest;
}

/** By the package.json that holds for the files of a folder, and by the one of the whole workspace. */
export function appPackage(tree: Tree, folder: string): AppPackage {
  const root = tree.exists('package.json')
    ? parsed(textOf(tree, 'package.json'), 'package.json')
    : above(process.cwd());
  const nearest = nearestManifest(tree, tree.getDir(folder)) ?? root;
  const uses = (name: string) =>
    [nearest, root].some(({ dependencies, devDependencies }) => dependencies?.[name] ?? devDependencies?.[name]);
  const jest = !uses('@types/jest') && uses('@jest/globals') ? '@jest/globals' : undefined;
  return {
    esm: nearest.type === 'module',
    testGlobals: uses('vitest') ? 'vitest' : jest,
    manifest: root,
  };
}

function nearestManifest(tree: Tree, from: Folder): Manifest | undefined {
  for (let folder: Folder | null = from; folder; folder = folder.parent) {
    const file = posix.join(folder.path, 'package.json');
    if (tree.exists(file)) return parsed(textOf(tree, file), file);
  }
  return undefined;
}

/** The Nest CLI may have been started in a folder below that of the application: its runner then sees nothing above. */
function above(from: string): Manifest {
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (existsSync(file)) return parsed(readFileSync(file, 'utf8'), file);
    if (dirname(folder) === folder) return {};
  }
}

function parsed(text: string, file: string): Manifest {
  try {
    return JSON.parse(text) as Manifest;
  } catch (cause) {
    throw new SchematicError(`${file} is not valid JSON. Mend it, and run this again.`, { cause });
  }
}
