import { posix } from 'node:path';
import { appPackage, type AppPackage } from './app-package.js';
import { formatted } from './formatted.js';
import { JEST_BY_HAND, lacksJestSetup } from './jest-setup.js';
import { withImport, withListed } from './module-source.js';
import { importPath, nearestModule } from './nearest-module.js';
import { SchematicError } from './schematic-error.js';
import { rewrite, type Rule, type SchematicContext, textOf, type Tree } from './tree.js';

/** What the Nest CLI passes to every schematic that generates a class. */
export interface ElementOptions {
  /** With folders before it: `podcasts/process-podcast`. */
  readonly name: string;
  readonly path?: string;
  readonly sourceRoot?: string;
  readonly language?: string;
  /** Without a folder of its own. */
  readonly flat?: boolean;
  readonly spec?: boolean;
  readonly specFileSuffix?: string;
  /** Leaves the module alone. */
  readonly skipImport?: boolean;
  readonly format?: boolean;
}

/** One class to be written, as the texts below see it. */
export interface Element {
  readonly className: string;
  /** What the spec imports the class from. */
  readonly importedFrom: string;
  readonly app: AppPackage;
}

export interface ElementTexts {
  /** The part of the file name before `.ts`: `job`. */
  readonly kind: string;
  /** Names that the texts import. */
  readonly taken: readonly string[];
  classText(element: Element): string;
  specText(element: Element): string;
}

/** Writes a class and its spec, and lists the class in the providers of the nearest module. */
export function generate(options: ElementOptions, texts: ElementTexts): Rule {
  return async (tree, context) => {
    const { file, folder, name, className } = placeOf(tree, options, texts);
    const app = appPackage(tree, folder);
    const element: Element = { className, importedFrom: `./${name}.${texts.kind}${app.esm ? '.js' : ''}`, app };
    const written = [create(tree, file, texts.classText(element))];
    if (options.spec !== false) {
      const spec = file.replace(/\.ts$/, `.${kebab(options.specFileSuffix || 'spec')}.ts`);
      written.push(create(tree, spec, texts.specText(element)));
      if (lacksJestSetup(tree, app)) {
        const command = 'nest add nestjs-queue --skip-install';
        context.logger.warn(
          `Jest, in CommonJS mode, cannot load nestjs-queue yet. "${command}" sets that up. ${JEST_BY_HAND}`,
        );
      }
    }
    if (!options.skipImport) written.push(...provide(tree, context, file, element));
    if (options.format) await formatted(tree, written);
  };
}

function placeOf(tree: Tree, options: ElementOptions, { kind, taken }: ElementTexts) {
  if (options.language !== undefined && options.language !== 'ts') {
    throw new SchematicError(
      `nestjs-queue writes TypeScript, and nest-cli.json says "language": "${options.language}".`,
    );
  }
  const given = slashed(`${options.path ?? ''}/${options.name}`);
  const name = kebab(posix.basename(given));
  const className = classify(name);
  if (!/^[\p{ID_Start}$_]/u.test(className)) {
    throw new SchematicError(`"${options.name}" gives no name for a class. Begin with a letter: ProcessPodcast.`);
  }
  if (taken.includes(className)) {
    throw new SchematicError(`${className} is a name that the file itself imports. Choose another one.`);
  }
  // Started below the application's folder, the path is meant from there.
  const root = ['nest-cli.json', 'nest.json', 'tsconfig.json', 'package.json'].some((one) => tree.exists(one));
  const above = posix.join('/', root ? slashed(options.sourceRoot ?? 'src') : '', kebab(posix.dirname(given)));
  const folder = options.flat ? above : posix.join(above, name);
  return { name, className, folder, file: posix.join(folder, `${name}.${kind}.ts`) };
}

function create(tree: Tree, file: string, text: string): string {
  if (tree.exists(file)) {
    throw new SchematicError(`${file.slice(1)} is there already. Choose another name, or remove it first.`);
  }
  tree.create(file, text);
  return file;
}

/** The module's file, where it was changed. */
function provide(tree: Tree, { logger }: SchematicContext, file: string, { className, app }: Element): string[] {
  const module = nearestModule(tree, posix.dirname(file));
  if (!module) {
    logger.warn(`No module was found above ${file.slice(1)}. List ${className} in the providers of one.`);
    return [];
  }
  const source = textOf(tree, module);
  const listed = withListed(source, 'providers', className);
  if (listed === undefined) {
    logger.warn(`The providers of ${module.slice(1)} are no plain list. Add ${className} to them.`);
    return [];
  }
  const path = importPath(module, file, app.esm);
  const imported = withImport(listed, className, path);
  if (imported === listed && !source.includes(path)) {
    logger.warn(
      `${module.slice(1)} imports another ${className}. Add the new one to its providers under another name.`,
    );
    return [];
  }
  return rewrite(tree, module, imported) ? [module] : [];
}

/** As Nest's own schematics name files. */
function kebab(name: string): string {
  return name
    .trim()
    .replace(/([a-z\d])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replace(/\s+/g, '-');
}

function classify(name: string): string {
  return name
    .split(/[^\p{ID_Continue}$]+|_+/u)
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1))
    .join('');
}

function slashed(path: string): string {
  return path.replaceAll('\\', '/');
}
