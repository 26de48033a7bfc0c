import { readdir, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformFile, type Options } from '@swc/core';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OUT = join(ROOT, 'dist-test');

/** As Jest compiles the sources; child processes run the files as Node finds them. */
const SWC: Options = {
  swcrc: false,
  sourceMaps: 'inline',
  module: { type: 'es6' },
  jsc: {
    target: 'es2022',
    keepClassNames: true,
    parser: { syntax: 'typescript', decorators: true, dynamicImport: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: true },
  },
};

export interface Fixture {
  /** Where the fixture's files lie, compiled: `folder/app.module.js`. */
  readonly folder: string;
  /** The compiled `nestjs-queue` binary. */
  readonly bin: string;
}

let library: Promise<void> | undefined;

/**
 * Compiles the library and a folder of fixture sources for child processes, below `dist-test`. A fixture imports the library as
 * `nestjs-queue`. Only what is newer than its compiled form is compiled, and files appear whole, so several Jest workers may call this
 * at once.
 *
 * @param name names the folder of the result
 * @param sources relative to the repository: `test/cli/fixture`
 */
export async function buildFixture(name: string, sources: string): Promise<Fixture> {
  library ??= compileLibrary();
  const folder = join(OUT, name);
  await Promise.all([library, compileFolder(join(ROOT, sources), folder)]);
  return { folder, bin: join(OUT, 'lib', 'cli', 'bin.js') };
}

async function compileLibrary(): Promise<void> {
  // A package that names itself: `nestjs-queue` in a fixture is the library compiled here.
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const manifest = {
    name: 'nestjs-queue',
    version,
    type: 'module',
    exports: {
      '.': './lib/index.js',
      './migrations': './lib/migrations/index.js',
      './terminus': './lib/health/terminus/index.js',
      './prometheus': './lib/health/prometheus/index.js',
      './opentelemetry': './lib/opentelemetry/index.js',
      './testing': './lib/testing/index.js',
      './testing/jest': './lib/testing/jest/index.js',
      './testing/vitest': './lib/testing/vitest/index.js',
      './testing/conformance': './lib/testing/conformance/index.js',
    },
  };
  await writeWhole(join(OUT, 'package.json'), JSON.stringify(manifest, undefined, 2));
  await compileFolder(join(ROOT, 'lib'), join(OUT, 'lib'));
}

async function compileFolder(from: string, to: string): Promise<void> {
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  await Promise.all(
    files.map(async (file) => {
      if (!file.endsWith('.ts') || file.endsWith('.d.ts') || file.endsWith('.spec.ts')) return;
      const target = join(to, relative(from, file).replace(/\.ts$/, '.js'));
      if ((await changedAt(target)) >= (await changedAt(file))) return;
      const { code } = await transformFile(file, SWC);
      await writeWhole(target, code);
    }),
  );
}

async function changedAt(file: string): Promise<number> {
  try {
    return (await stat(file)).mtimeMs;
  } catch {
    return 0;
  }
}

let written = 0;

/** Nobody sees half a file, and two who write the same one at once do not meet. */
async function writeWhole(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.${(written += 1)}`;
  await writeFile(draft, text);
  await rename(draft, file);
}
