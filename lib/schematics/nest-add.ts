import { posix } from 'node:path';
import { appPackage, type AppPackage } from './app-package.js';
import { type EditedManifest, peersOf, withPackages, writeManifest } from './app-manifest.js';
import { builtApp, isMonorepo } from './built-app.js';
import { E2E_CONFIG, JEST_BY_HAND, lacksJestSetup, SWC, withPackage } from './jest-setup.js';
import { moduleClass, withImport, withListed } from './module-source.js';
import { importPath } from './nearest-module.js';
import { SchematicError } from './schematic-error.js';
import { type Folder, rewrite, type Rule, type SchematicContext, textOf, type Tree } from './tree.js';

export interface NestAddOptions {
  readonly sourceRoot?: string;
  /** The Nest CLI passes it on: package.json is written, and nothing is installed. */
  readonly skipInstall?: boolean;
}

/** The default connection is a SQLite file. */
const SQLITE = ['typeorm', 'libsql'];

/**
 * `nest add nestjs-queue`: the module in the application's own one, `worker.ts` and `queue.ts` beside it, what SQLite needs in
 * package.json, and Jest told of the package where it runs in CommonJS mode. What is there already stays as it is.
 */
export function nestAdd({ sourceRoot = 'src', skipInstall = false }: NestAddOptions): Rule {
  return (tree, context) => {
    const root = sourceRoot.replaceAll('\\', '/');
    const { file, className } = applicationModule(tree, root);
    const app = appPackage(tree, root);
    const manifest: EditedManifest = { ...app.manifest };

    const done = [
      addModule(tree, context, root, file),
      addEntry(tree, context, root, file, { name: 'worker.ts', call: 'runWorker', className, app }),
      addEntry(tree, context, root, file, { name: 'queue.ts', call: 'runQueueCli', className, app }),
      setUpJest(tree, context, app, manifest),
    ];
    if (usesDefaults(tree, root)) manifest.dependencies = withPackages(manifest, 'dependencies', peersOf(SQLITE));
    nameApp(tree, context, manifest, file, root);
    done.push(writeManifest(tree, context, app, manifest, skipInstall));

    if (!done.includes(true)) return;
    context.logger.info(
      'Work the queue by "nest start --entryFile worker", and write jobs by "nest g -c nestjs-queue job SendMail".',
    );
  };
}

/** @throws SchematicError where the application has no module that could be told from others */
function applicationModule(tree: Tree, root: string): { file: string; className: string } {
  const folder = tree.getDir(root);
  const files = folder.subfiles.filter((name) => name.endsWith('.module.ts'));
  const name = files.includes('app.module.ts') ? 'app.module.ts' : files.length === 1 ? files[0] : undefined;
  const chosen = name && posix.join(folder.path, name);
  const className = chosen && moduleClass(textOf(tree, chosen));
  if (className) return { file: chosen.slice(1), className };
  const found = chosen
    ? `${chosen.slice(1)} has no class with @Module({ … })`
    : files.length > 0
      ? `${root} has several modules (${files.join(', ')}), none of them app.module.ts`
      : `there is no ${root}/app.module.ts`;
  throw new SchematicError(
    `The application's module was not found: ${found}. Add QueueModule.forRoot() to the imports of the right one by hand, or name the ` +
      `project: nest add nestjs-queue --project api`,
  );
}

function addModule(tree: Tree, { logger }: SchematicContext, root: string, file: string): boolean {
  if (sources(tree.getDir(root), tree).some((text) => /\bQueueModule\s*\.\s*forRoot/.test(text))) return false;
  const listed = withListed(textOf(tree, file), 'imports', 'QueueModule.forRoot()');
  if (listed !== undefined) return rewrite(tree, file, withImport(listed, 'QueueModule', 'nestjs-queue'));
  logger.warn(`The imports of ${file} are no plain list. Add QueueModule.forRoot() to them.`);
  return false;
}

/** Whether the module is there without options. */
function usesDefaults(tree: Tree, root: string): boolean {
  return sources(tree.getDir(root), tree).some((text) => /\bQueueModule\s*\.\s*forRoot\(\s*\)/.test(text));
}

interface Entry {
  readonly name: string;
  readonly call: string;
  readonly className: string;
  readonly app: AppPackage;
}

function addEntry(
  tree: Tree,
  { logger }: SchematicContext,
  root: string,
  module: string,
  { name, call, className, app }: Entry,
): boolean {
  const file = posix.join(root, name);
  if (tree.exists(file)) {
    if (!textOf(tree, file).includes(call)) logger.warn(`${file} is there already, and does not call ${call}().`);
    return false;
  }
  tree.create(
    file,
    `import 'reflect-metadata';
import { ${call} } from 'nestjs-queue';
import { ${className} } from '${importPath(file, module, app.esm)}';

${app.esm ? 'await' : 'void'} ${call}(${className});
`,
  );
  return true;
}

function setUpJest(tree: Tree, { logger }: SchematicContext, app: AppPackage, manifest: EditedManifest): boolean {
  if (!lacksJestSetup(tree, app)) return false;
  const jest = withPackage(manifest.jest);
  if (!jest) {
    logger.warn(`Jest, in CommonJS mode, has to be told to compile nestjs-queue by SWC. ${JEST_BY_HAND}`);
    return false;
  }
  manifest.jest = jest;
  manifest.devDependencies = withPackages(manifest, 'devDependencies', SWC);
  const endToEnd = tree.exists(E2E_CONFIG) ? withPackage(tree.readJson(E2E_CONFIG)) : undefined;
  if (endToEnd) rewrite(tree, E2E_CONFIG, `${JSON.stringify(endToEnd, null, 2)}\n`);
  return true;
}

function nameApp(
  tree: Tree,
  { logger }: SchematicContext,
  manifest: EditedManifest,
  module: string,
  root: string,
): void {
  if (manifest['nestjs-queue'] !== undefined) return;
  if (isMonorepo(tree)) {
    logger.info(`npx nestjs-queue takes the module of one application by --app: the file that ${module} is built to.`);
    return;
  }
  const app = builtApp(tree, module, root);
  if (app !== undefined) manifest['nestjs-queue'] = { app };
}

function sources(folder: Folder, tree: Tree): string[] {
  const here = folder.subfiles.filter((name) => name.endsWith('.ts') && !/\.(?:d|spec|test)\.ts$/.test(name));
  const below = folder.subdirs.filter((name) => !/^(?:\.|node_modules$|dist$)/.test(name));
  return [
    ...here.map((name) => textOf(tree, posix.join(folder.path, name))),
    ...below.flatMap((name) => sources(folder.dir(name), tree)),
  ];
}
