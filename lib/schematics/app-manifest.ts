import { readFileSync } from 'node:fs';
import type { AppPackage, Manifest } from './app-package.js';
import { rewrite, type SchematicContext, textOf, type Tree } from './tree.js';

export type EditedManifest = { -readonly [Key in keyof Manifest]: Manifest[Key] };

/**
 * Writes package.json as it was edited, in the style of its text, and has what was added installed, by the package manager whose lock file
 * is there.
 *
 * @returns whether there was something to write
 */
export function writeManifest(
  tree: Tree,
  context: SchematicContext,
  { manifest: before }: AppPackage,
  manifest: EditedManifest,
  skipInstall: boolean,
): boolean {
  const file = 'package.json';
  if (!tree.exists(file) || JSON.stringify(manifest) === JSON.stringify(before)) return false;
  const text = textOf(tree, file);
  const indent = /^([ \t]+)"/m.exec(text)?.[1] ?? '  ';
  rewrite(tree, file, JSON.stringify(manifest, null, indent) + (text.endsWith('\n') ? '\n' : ''));
  const had = packagesOf(before);
  const added = Object.keys(packagesOf(manifest)).filter((name) => had[name] === undefined);
  if (added.length === 0) return true;
  if (skipInstall) {
    context.logger.info(`package.json has more in it now: ${added.join(', ')}. Install that: npm install`);
  } else {
    // What the runner's own NodePackageInstallTask says.
    const options = { command: 'install', quiet: true, hideOutput: true, allowScripts: false };
    context.addTask({ toConfiguration: () => ({ name: 'node-package', options }) });
  }
  return true;
}

function packagesOf({ dependencies, devDependencies }: Manifest): Readonly<Record<string, string>> {
  return { ...devDependencies, ...dependencies };
}

/** One kind of dependencies with those that the application does not have yet, in the order that npm gives them. */
export function withPackages(
  manifest: EditedManifest,
  kind: 'dependencies' | 'devDependencies',
  wanted: Readonly<Record<string, string>>,
): Record<string, string> | undefined {
  const there = packagesOf(manifest);
  const missing = Object.entries(wanted).filter(([name]) => there[name] === undefined);
  if (missing.length === 0) return manifest[kind];
  const all = [...Object.entries(manifest[kind] ?? {}), ...missing];
  return Object.fromEntries(all.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The versions that this package is made for. */
export function peersOf(names: readonly string[]): Record<string, string> {
  const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    peerDependencies: Record<string, string>;
  };
  return Object.fromEntries(names.map((name) => [name, own.peerDependencies[name] ?? 'latest']));
}
