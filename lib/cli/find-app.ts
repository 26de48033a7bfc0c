import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DynamicModule, Type } from '@nestjs/common';
import { CommandError } from './command-error.js';

export type AppModule = Type | DynamicModule;

const BUILT = ['dist/app.module.js', 'dist/src/app.module.js'];
const BUILD_IT = 'Build the application first (nest build), or name its module: --app dist/app.module.js';

/** Where the application's module is said to be: a file, and the export where one is named. */
export interface AppLocation {
  readonly file: string;
  readonly exportName?: string;
}

/**
 * Finds the file of the application's module: `--app file#Export`, else `"nestjs-queue": { "app": … }` in package.json, else
 * `dist/app.module.js`.
 *
 * @throws CommandError where there is no such file
 */
export function locateApp(given: string | undefined, cwd: string): AppLocation {
  if (given !== undefined) return existing(given, cwd, 'given by --app');
  const root = packageRoot(cwd);
  const configured = configuredApp(root);
  if (configured !== undefined) return existing(configured, root, 'named in package.json under "nestjs-queue"');
  const file = BUILT.map((path) => join(root, path)).find((path) => existsSync(path));
  if (!file) throw new CommandError(`No application found: there is no ${join(root, BUILT[0]!)}.`, BUILD_IT);
  return { file };
}

/** Imports the file and picks the Nest module out of its exports. */
export async function loadApp(location: AppLocation): Promise<AppModule> {
  let namespace: Readonly<Record<string, unknown>>;
  try {
    // Nest's decorators write their metadata through it, and an application may rely on its own entry file to load it.
    await import('reflect-metadata');
    namespace = (await import(pathToFileURL(location.file).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw importFailed(location.file, error);
  }
  return pickModule(namespace, location);
}

/**
 * The Nest module among a file's exports; those of CommonJS lie under `default` as well. The named one, else `AppModule`, else the
 * only one there is.
 */
export async function pickModule(
  namespace: Readonly<Record<string, unknown>>,
  { file, exportName }: AppLocation,
): Promise<AppModule> {
  const found = exportsOf(namespace);
  if (exportName !== undefined) {
    const value = await found.get(exportName);
    if (isModule(value)) return value;
    const what = found.has(exportName) ? 'is not a Nest module' : 'does not exist';
    throw new CommandError(`The export ${exportName} of ${file} ${what}.`, `It exports: ${listed([...found.keys()])}.`);
  }
  const modules = new Map<string, AppModule>();
  for (const [name, promised] of found) {
    const value = await promised;
    if (isModule(value) && ![...modules.values()].includes(value)) modules.set(name, value);
  }
  const chosen = modules.get('AppModule') ?? (modules.size === 1 ? [...modules.values()][0] : undefined);
  if (chosen) return chosen;
  if (modules.size === 0) {
    throw new CommandError(`${file} exports no Nest module.`, 'Name the file that does: --app dist/app.module.js');
  }
  throw new CommandError(
    `${file} exports several Nest modules: ${listed([...modules.keys()])}.`,
    `Name the one that is the application: --app ${file}#${[...modules.keys()][0]}`,
  );
}

function exportsOf(namespace: Readonly<Record<string, unknown>>): Map<string, unknown> {
  const found = new Map<string, unknown>();
  const inner = namespace.default;
  const nested = typeof inner === 'object' && inner !== null && !isModule(inner) ? Object.entries(inner) : [];
  for (const [name, value] of [...Object.entries(namespace), ...nested]) {
    if (name === '__esModule' || name === 'module.exports' || (name === 'default' && nested.length > 0)) continue;
    if (!found.has(name)) found.set(name, value);
  }
  return found;
}

function isModule(value: unknown): value is AppModule {
  if (typeof value === 'function') {
    const keys = ['imports', 'providers', 'controllers', 'exports'];
    return keys.some((key) => Reflect.hasMetadata(key, value));
  }
  return typeof value === 'object' && value !== null && typeof (value as DynamicModule).module === 'function';
}

function existing(given: string, base: string, origin: string): AppLocation {
  const [path = '', exportName] = given.split('#', 2);
  const file = isAbsolute(path) ? path : resolve(base, path);
  if (!existsSync(file)) throw new CommandError(`There is no file ${file}, ${origin}.`, BUILD_IT);
  return exportName ? { file, exportName } : { file };
}

/** The nearest folder upwards with a package.json; `from` where there is none. */
export function packageRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (dirname(folder) === folder) return from;
  }
}

function configuredApp(root: string): string | undefined {
  const file = join(root, 'package.json');
  if (!existsSync(file)) return undefined;
  let settings: unknown;
  try {
    settings = (JSON.parse(readFileSync(file, 'utf8')) as { 'nestjs-queue'?: unknown })['nestjs-queue'];
  } catch (error) {
    throw new CommandError(`${file} is not valid JSON.`, 'Mend it, or name the module: --app dist/app.module.js', {
      cause: error,
    });
  }
  if (settings === undefined) return undefined;
  const app = (settings as { app?: unknown } | null)?.app;
  if (app === undefined) return undefined;
  if (typeof app === 'string' && app !== '') return app;
  throw new CommandError(
    `"nestjs-queue": { "app" } in ${file} is not a path.`,
    'Write it as "nestjs-queue": { "app": "dist/app.module.js" }',
  );
}

function importFailed(file: string, cause: unknown): CommandError {
  const name = relative(process.cwd(), file) || file;
  const code = (cause as { code?: unknown } | undefined)?.code;
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION' || ['.ts', '.mts', '.cts'].includes(extname(file))) {
    return new CommandError(`${name} is not JavaScript: Node cannot import it as it is.`, BUILD_IT, { cause });
  }
  const [reason = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n', 1);
  return new CommandError(
    `Importing ${name} failed: ${reason}`,
    'Mend that, build again, and run the command with -v to see the stack.',
    { cause },
  );
}

function listed(names: readonly string[]): string {
  return names.length > 0 ? names.join(', ') : 'nothing';
}
