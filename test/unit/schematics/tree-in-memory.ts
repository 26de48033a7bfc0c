import { posix } from 'node:path';
import ts from 'typescript';
import type { Folder, Tree } from '../../../lib/schematics/tree.js';

/*
 * The runner's own tree cannot be loaded within Jest on every Node. test/package/schematics.spec.ts has the schematics run by the Nest CLI
 * itself; this one behaves as that tree does.
 */

/** Files in memory, by paths that are absolute from the root of the application. */
export class TreeInMemory implements Tree {
  readonly files = new Map<string, string>();

  constructor(files: Readonly<Record<string, string>>) {
    for (const [path, content] of Object.entries(files)) this.create(path, content);
  }

  exists(path: string): boolean {
    return this.files.has(absolute(path));
  }

  read(path: string): Buffer | null {
    const content = this.files.get(absolute(path));
    return content === undefined ? null : Buffer.from(content);
  }

  readJson(path: string): unknown {
    const { config, error } = ts.parseConfigFileTextToJson(path, this.read(path)!.toString()) as {
      config?: unknown;
      error?: ts.Diagnostic;
    };
    if (error) throw new Error(`Failed to parse "${path}" as JSON.`);
    return config;
  }

  create(path: string, content: string): void {
    if (this.exists(path)) throw new Error(`Path "${path}" already exist.`);
    this.files.set(absolute(path), content);
  }

  overwrite(path: string, content: string): void {
    if (!this.exists(path)) throw new Error(`Path "${path}" does not exist.`);
    this.files.set(absolute(path), content);
  }

  getDir(path: string): Folder {
    const at = absolute(path);
    const prefix = at === '/' ? '/' : `${at}/`;
    const below = [...this.files.keys()]
      .filter((file) => file.startsWith(prefix))
      .map((file) => file.slice(prefix.length));
    return {
      path: at,
      parent: at === '/' ? null : this.getDir(posix.dirname(at)),
      subdirs: [...new Set(below.filter((file) => file.includes('/')).map((file) => file.split('/', 1)[0]!))],
      subfiles: below.filter((file) => !file.includes('/')),
      dir: (name) => this.getDir(posix.join(at, name)),
    };
  }
}

function absolute(path: string): string {
  const at = posix.join('/', path);
  return at.length > 1 && at.endsWith('/') ? at.slice(0, -1) : at;
}
