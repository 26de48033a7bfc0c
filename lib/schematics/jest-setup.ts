import type { AppPackage, Manifest } from './app-package.js';
import { textOf, type Tree } from './tree.js';

/*
 * Jest in CommonJS mode cannot load the package, an ES module, as it is. SWC has to compile it: ts-jest leaves import.meta in it.
 */

/** Also where pnpm keeps the package: node_modules/.pnpm/nestjs-queue@1.0.0/node_modules/nestjs-queue. */
const IGNORED = '/node_modules/(?!.*nestjs-queue/)';
const BY_SWC = { '/node_modules/': '@swc/jest' };
/** In an application that has neither yet. */
export const SWC: Readonly<Record<string, string>> = { '@swc/core': '^1.10.0', '@swc/jest': '^0.2.37' };

const CONFIG_FILES = ['ts', 'js', 'cjs', 'mjs', 'json'].map((ending) => `jest.config.${ending}`);
export const E2E_CONFIG = 'test/jest-e2e.json';

interface JestConfig {
  readonly preset?: unknown;
  readonly transform?: Readonly<Record<string, unknown>>;
  readonly transformIgnorePatterns?: readonly string[];
}

/** Whether the tests run by Jest in CommonJS mode, which needs to be told about the package. */
function needsJestSetup({ esm, testGlobals, manifest }: AppPackage): boolean {
  const jest = manifest.dependencies?.['jest'] ?? manifest.devDependencies?.['jest'];
  return (
    !esm && testGlobals !== 'vitest' && !!jest && !/experimental-vm-modules/.test(manifest.scripts?.['test'] ?? '')
  );
}

/** Whether a spec that imports the package cannot run yet. */
export function lacksJestSetup(tree: Tree, app: AppPackage): boolean {
  return needsJestSetup(app) && !knowsPackage(tree, app.manifest);
}

/** For whom it cannot be done by a schematic. */
export const JEST_BY_HAND = 'How to do that by hand is in docs/testing.md of the package, under "In your runner".';

function knowsPackage(tree: Tree, manifest: Manifest): boolean {
  const files = CONFIG_FILES.filter((file) => tree.exists(file)).map((file) => textOf(tree, file));
  return [JSON.stringify(manifest.jest ?? ''), ...files].some((text) => text.includes('nestjs-queue'));
}

/**
 * The configuration with the package compiled by SWC.
 *
 * @returns nothing where it compiles by something else than ts-jest and SWC, or ignores paths of its own
 */
export function withPackage(config: unknown): object | undefined {
  if (typeof config !== 'object' || config === null) return undefined;
  const { preset, transform = {}, transformIgnorePatterns } = config as JestConfig;
  if (transformIgnorePatterns !== undefined) return undefined;
  const compilers = JSON.stringify([preset, transform]);
  if (compilers.includes('ts-jest')) {
    return { ...config, transform: { ...BY_SWC, ...transform }, transformIgnorePatterns: [IGNORED] };
  }
  return compilers.includes('@swc/jest') ? { ...config, transformIgnorePatterns: [IGNORED] } : undefined;
}
