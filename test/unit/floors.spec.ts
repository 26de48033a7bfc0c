import { describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import ts from 'typescript';

/*
 * The house has floors, and imports go down only, type imports included:
 *
 *   F7  cli  dashboard  testing  opentelemetry     each looks down, none at another
 *   F6  nest  metrics
 *   F5  operations  schedule
 *   F4  bus  completion  worker     neighbours that do not know each other
 *   F3  connections
 *   F2  job  middleware | backends  backends sees F0 and F1 alone
 *   F1  contracts
 *   F0  support
 */
const FLOORS: Readonly<Record<string, number>> = {
  support: 0,
  contracts: 1,
  job: 2,
  middleware: 2,
  backends: 2,
  connections: 3,
  bus: 4,
  completion: 4,
  worker: 4,
  operations: 5,
  schedule: 5,
  nest: 6,
  metrics: 6,
  cli: 7,
  dashboard: 7,
  testing: 7,
  opentelemetry: 7,
  health: 7,
  schematics: 7,
};

/** `index.ts` stands only where package.json publishes an entry point. */
const ENTRY_POINTS = [
  'index.ts',
  'migrations/index.ts',
  'health/terminus/index.ts',
  'health/prometheus/index.ts',
  'opentelemetry/index.ts',
  'testing/index.ts',
  'testing/jest/index.ts',
  'testing/vitest/index.ts',
  'testing/conformance/index.ts',
];

/** Nest, outside nest/ and the roof above it. */
const NEST_BELOW: Readonly<Record<string, readonly string[]>> = {
  job: ['@nestjs/common'],
  middleware: ['@nestjs/common'],
};

const FORBIDDEN_FOLDERS = ['utils', 'util', 'helpers', 'interfaces', 'types', 'constants', 'enums', 'errors', 'common'];

/** Longer than 300 lines, and why. */
const LONG_FILES: Readonly<Record<string, string>> = {
  'contracts/queue-events.ts': 'one small class for each event and nothing else; read as a table',
};

/** Compiles the source of a closure, once its signature holds. */
const MAKES_CODE = 'job/closure-source.ts';

interface Source {
  /** Path below lib, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

interface Import {
  readonly from: string;
  readonly specifier: string;
  /** Path below lib of what a relative import names. */
  readonly target?: string;
}

const LIB = resolve(import.meta.dirname, '../../lib');

function sourcesOf(folder: string): Source[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return { path: relative(folder, file).split(sep).join('/'), text: readFileSync(file, 'utf8') };
    });
}

function parse(source: Source): ts.SourceFile {
  return ts.createSourceFile(source.path, source.text, ts.ScriptTarget.ES2022, true);
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** Static, dynamic and type imports, and re-exports. */
function importsOf(source: Source): Import[] {
  const specifiers = new Set<string>();
  walk(parse(source), (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      if (ts.isStringLiteral(node.moduleSpecifier)) specifiers.add(node.moduleSpecifier.text);
    } else if (ts.isCallExpression(node) && node.arguments[0] && ts.isStringLiteralLike(node.arguments[0])) {
      const callee = node.expression;
      if (callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')) {
        specifiers.add(node.arguments[0].text);
      }
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      if (ts.isStringLiteral(node.argument.literal)) specifiers.add(node.argument.literal.text);
    }
  });
  return [...specifiers].map((specifier) => {
    if (!specifier.startsWith('.')) return { from: source.path, specifier };
    const target = join(dirname(source.path), specifier).split(sep).join('/');
    return { from: source.path, specifier, target: target.replace(/\.js$/, '.ts') };
  });
}

function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
}

function floorFault({ from, target }: Import): string | undefined {
  if (target === undefined || ENTRY_POINTS.includes(from)) return undefined;
  const here = folderOf(from);
  const there = folderOf(target);
  if (target.startsWith('..')) return `${from} leaves lib: ${target}`;
  if (FLOORS[here] === undefined) return `${from}: the folder ${here || 'lib'} has no floor`;
  if (FLOORS[there] === undefined) return `${from} imports ${target}, which stands on no floor`;
  if (here === 'backends') {
    if (FLOORS[there] <= 1) return undefined;
    // What several kinds of store have in common stands beside their folders.
    if (there === 'backends' && target.split('/').length === 2) return undefined;
    const family = (path: string) => path.split('/').slice(0, 2).join('/');
    return family(from) === family(target) ? undefined : `${from} may see support and contracts only, not ${target}`;
  }
  if (here === there) return undefined;
  if (here === 'middleware' && there === 'job') return undefined;
  if (FLOORS[there] < FLOORS[here]) return undefined;
  return FLOORS[there] === FLOORS[here]
    ? `${from} imports its neighbour ${target}`
    : `${from} (F${FLOORS[here]}) imports upwards: ${target} (F${FLOORS[there]})`;
}

function nestFault({ from, specifier }: Import): string | undefined {
  if (!specifier.startsWith('@nestjs/')) return undefined;
  const here = folderOf(from);
  if (here === '' || (FLOORS[here] ?? 0) >= 6) return undefined;
  if (NEST_BELOW[here]?.includes(specifier)) return undefined;
  return `${from} imports ${specifier}`;
}

/** Import cycles, each as the list of files that leads back to its first. */
function cyclesOf(imports: readonly Import[]): string[][] {
  const edges = new Map<string, string[]>();
  for (const { from, target } of imports) {
    if (target !== undefined) edges.set(from, [...(edges.get(from) ?? []), target]);
  }
  const cycles: string[][] = [];
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const start = trail.indexOf(file);
    if (start >= 0) {
      cycles.push([...trail.slice(start), file]);
      return;
    }
    if (done.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...trail, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  return cycles;
}

/** Text that becomes code, in any of its forms. */
function evaluations(source: Source): string[] {
  const found: string[] = [];
  walk(parse(source), (node) => {
    if ((ts.isCallExpression(node) || ts.isNewExpression(node)) && ts.isIdentifier(node.expression)) {
      if (['eval', 'Function'].includes(node.expression.text)) found.push(`${source.path}: ${node.expression.text}`);
    }
  });
  for (const { specifier } of importsOf(source)) {
    if (/^(node:)?vm$/.test(specifier)) found.push(`${source.path}: ${specifier}`);
  }
  return found;
}

const sources = sourcesOf(LIB);
const imports = sources.flatMap(importsOf);

describe('the floors of lib', () => {
  it('finds the library and its imports', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(imports.length).toBeGreaterThan(sources.length);
  });

  it('lets imports go down only, type imports included', () => {
    expect(imports.map(floorFault).filter(Boolean)).toEqual([]);
  });

  it('resolves every relative import to a file of lib', () => {
    const known = new Set(sources.map((source) => source.path));
    expect(imports.filter(({ target }) => target !== undefined && !known.has(target))).toEqual([]);
  });

  it('keeps Nest to nest/ and above, and @nestjs/common to job/ and middleware/', () => {
    expect(imports.map(nestFault).filter(Boolean)).toEqual([]);
  });

  it('has no import cycle', () => {
    expect(cyclesOf(imports)).toEqual([]);
  });

  it('has index.ts at published entry points only, and never imports one from inside', () => {
    const indexes = sources.map((source) => source.path).filter((path) => /(^|\/)index\.ts$/.test(path));
    expect(indexes.filter((path) => !ENTRY_POINTS.includes(path))).toEqual([]);
    expect(imports.filter(({ target }) => target !== undefined && /(^|\/)index\.ts$/.test(target))).toEqual([]);
  });

  it('publishes each index.ts in package.json', () => {
    const manifest = JSON.parse(readFileSync(resolve(LIB, '../package.json'), 'utf8')) as {
      exports: Record<string, { types?: string } | string>;
    };
    const published = Object.values(manifest.exports)
      .map((entry) => (typeof entry === 'string' ? undefined : entry.types))
      .filter((types) => types !== undefined)
      .map((types) => types.replace('./dist/', '').replace(/\.d\.ts$/, '.ts'));
    expect(published.sort()).toEqual([...ENTRY_POINTS].sort());
  });

  it('imports only packages that package.json declares, and optional ones never statically', () => {
    const manifest = JSON.parse(readFileSync(resolve(LIB, '../package.json'), 'utf8')) as Record<
      'dependencies' | 'peerDependencies',
      Record<string, string>
    >;
    const declared = new Set([...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)]);
    const builtin = new Set(builtinModules);
    const undeclared = imports.filter(({ specifier, target }) => {
      if (target !== undefined || specifier.startsWith('node:') || builtin.has(specifier)) return false;
      return !declared.has(specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/'));
    });
    expect(undeclared).toEqual([]);
    const stores = /^\s*(?:import|export)\s[^;]*?from\s+'(?:typeorm|libsql|ioredis|better-sqlite3)'/m;
    expect(sources.filter(({ text }) => stores.test(text)).map(({ path }) => path)).toEqual([]);
  });

  it('leaves test runners to the entry points that are named after them', () => {
    const runners = imports.filter(({ specifier }) => /^(@jest\/|jest|vitest|node:test)/.test(specifier));
    expect(runners.map(({ from, specifier }) => [from, specifier])).toEqual([
      ['testing/jest/index.ts', '@jest/globals'],
      ['testing/vitest/index.ts', 'vitest'],
    ]);
  });

  it('has no drawers: folders and files are named after what they hold', () => {
    const drawers = sources.filter(({ path }) =>
      path
        .replace(/\.ts$/, '')
        .split('/')
        .some((part) => FORBIDDEN_FOLDERS.includes(part)),
    );
    expect(drawers.map(({ path }) => path)).toEqual([]);
  });

  it('turns text into code in the one file that is there for it', () => {
    expect(sources.flatMap(evaluations)).toEqual([`${MAKES_CODE}: Function`]);
  });

  it('keeps files under 300 lines, but for those with a reason', () => {
    const long = sources.filter(({ text }) => text.split('\n').length > 301).map(({ path }) => path);
    expect(long.filter((path) => !LONG_FILES[path])).toEqual([]);
    expect(Object.keys(LONG_FILES).filter((path) => !long.includes(path))).toEqual([]);
  });
});

describe('the check itself', () => {
  const fault = (from: string, text: string) =>
    importsOf({ path: from, text })
      .map((one) => floorFault(one) ?? nestFault(one))
      .filter(Boolean);

  it('sees an upward import in every form', () => {
    const upwards = ['worker/worker.ts (F4) imports upwards: nest/wiring.ts (F6)'];
    expect(fault('worker/worker.ts', `import { w } from '../nest/wiring.js';`)).toEqual(upwards);
    expect(fault('worker/worker.ts', `import type { W } from '../nest/wiring.js';`)).toEqual(upwards);
    expect(fault('worker/worker.ts', `export * from '../nest/wiring.js';`)).toEqual(upwards);
    expect(fault('worker/worker.ts', `const w = await import('../nest/wiring.js');`)).toEqual(upwards);
    expect(fault('worker/worker.ts', `let w: import('../nest/wiring.js').W;`)).toEqual(upwards);
  });

  it('sees neighbours, backends that look at the domain, and Nest too low', () => {
    expect(fault('bus/queue-bus.ts', `import '../worker/worker.js';`)).toHaveLength(1);
    expect(fault('job/queueable.ts', `import '../middleware/compose.js';`)).toHaveLength(1);
    expect(fault('middleware/skip.ts', `import '../job/queueable.js';`)).toEqual([]);
    expect(fault('backends/redis/redis-driver.ts', `import '../../job/queueable.js';`)).toHaveLength(1);
    expect(fault('backends/redis/redis-driver.ts', `import '../memory/memory-driver.js';`)).toHaveLength(1);
    expect(fault('backends/redis/redis-driver.ts', `import '../../contracts/backend.js';`)).toEqual([]);
    expect(fault('backends/redis/redis-driver.ts', `import '../body-text.js';`)).toEqual([]);
    expect(fault('backends/body-text.ts', `import './redis/redis-driver.js';`)).toHaveLength(1);
    expect(fault('worker/worker.ts', `import { Logger } from '@nestjs/common';`)).toHaveLength(1);
    expect(fault('job/queueable.ts', `import { Module } from '@nestjs/core';`)).toHaveLength(1);
    expect(fault('job/queueable.ts', `import { Injectable } from '@nestjs/common';`)).toEqual([]);
  });

  it('sees cycles and code made from text', () => {
    const edge = (from: string, target: string): Import => ({ from, target, specifier: target });
    expect(cyclesOf([edge('a', 'b'), edge('b', 'c'), edge('c', 'a'), edge('d', 'a')])).toEqual([['a', 'b', 'c', 'a']]);
    const text = `import vm from 'node:vm'; eval('1'); new Function('x', 'return x');`;
    expect(evaluations({ path: 'job/x.ts', text })).toHaveLength(3);
  });
});
