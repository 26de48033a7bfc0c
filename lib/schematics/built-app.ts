import { posix } from 'node:path';
import type { Tree } from './tree.js';

/** Where the command line looks by itself. */
const FOUND = ['dist/app.module.js', 'dist/src/app.module.js'];

interface NestConfig {
  readonly monorepo?: boolean;
  readonly projects?: Readonly<Record<string, unknown>>;
  readonly compilerOptions?: { readonly tsConfigPath?: string };
}

interface CompilerPlaces {
  readonly outDir?: string;
  readonly rootDir?: string;
}

/** Several applications in one workspace: what package.json says could hold for one of them alone. */
export function isMonorepo(tree: Tree): boolean {
  const { monorepo, projects } = nestConfig(tree);
  return monorepo === true || Object.keys(projects ?? {}).length > 0;
}

/** The file that a module is compiled to, where `npx nestjs-queue` would not find it by itself. */
export function builtApp(tree: Tree, module: string, sourceRoot: string): string | undefined {
  const given = nestConfig(tree).compilerOptions?.tsConfigPath;
  const config = [given, 'tsconfig.build.json', 'tsconfig.json'].find(
    (file) => file !== undefined && tree.exists(file),
  );
  const { outDir = 'dist', rootDir = sourceRoot } = config ? placesIn(tree, config) : {};
  const from = posix.relative(posix.join('/', rootDir), posix.join('/', module));
  const built = posix.join(outDir, from.replace(/\.ts$/, '.js')).replace(/^\//, '');
  return FOUND.includes(built) ? undefined : built;
}

/** What a configuration, or the nearest one that it extends, says. Packages of configurations say nothing about folders. */
function placesIn(tree: Tree, file: string, depth = 0): CompilerPlaces {
  const config = json(tree, file) as { compilerOptions?: CompilerPlaces; extends?: string | string[] };
  const home = posix.dirname(file);
  const own = config.compilerOptions ?? {};
  const bases = [config.extends ?? []].flat().filter((base) => base.startsWith('.') && depth < 5);
  const inherited = bases.map((base) => {
    const path = posix.join(home, base);
    const found = [path, `${path}.json`].find((one) => tree.exists(one));
    return found ? placesIn(tree, found, depth + 1) : {};
  });
  const absolute = Object.fromEntries(
    (['outDir', 'rootDir'] as const).flatMap((key) =>
      typeof own[key] === 'string' ? [[key, posix.join(home, own[key])]] : [],
    ),
  );
  return Object.assign({}, ...inherited, absolute) as CompilerPlaces;
}

function nestConfig(tree: Tree): NestConfig {
  const file = ['nest-cli.json', 'nest.json'].find((one) => tree.exists(one));
  return file ? (json(tree, file) as NestConfig) : {};
}

function json(tree: Tree, file: string): object {
  const value = tree.readJson(file);
  return typeof value === 'object' && value !== null ? value : {};
}
