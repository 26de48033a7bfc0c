/*
 * What a schematic is given, as far as ours use it. The runner of the Nest CLI hands it over; its packages are not imported, so that
 * neither their version nor the layout of node_modules matters.
 */

/** A folder of the application; `path` is absolute from its root. */
export interface Folder {
  readonly path: string;
  readonly parent: Folder | null;
  readonly subdirs: readonly string[];
  readonly subfiles: readonly string[];
  dir(name: string): Folder;
}

/** The application's files. What is written lands on the disk only if the whole schematic comes through. */
export interface Tree {
  exists(path: string): boolean;
  read(path: string): Buffer | null;
  /** JSON with comments and trailing commas. */
  readJson(path: string): unknown;
  create(path: string, content: string): void;
  overwrite(path: string, content: string): void;
  getDir(path: string): Folder;
}

export interface SchematicContext {
  readonly logger: { info(message: string): void; warn(message: string): void };
  /** Runs once the files are on the disk. */
  addTask(task: { toConfiguration(): { name: string; options: object } }): unknown;
}

export type Rule = (tree: Tree, context: SchematicContext) => void | Promise<void>;

/** @throws where there is no such file */
export function textOf(tree: Tree, path: string): string {
  const content = tree.read(path);
  if (content === null) throw new Error(`There is no file ${path}.`);
  return content.toString('utf8');
}

/** Writes a file that is there already, unless it says that. Gives whether it did not. */
export function rewrite(tree: Tree, path: string, content: string): boolean {
  if (textOf(tree, path) === content) return false;
  tree.overwrite(path, content);
  return true;
}
