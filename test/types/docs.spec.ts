import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../..', import.meta.url));
const chapters = readdirSync(`${root}docs`).filter((name) => name.endsWith('.md'));

/** The examples of a chapter, each a module of its own; one that begins with its file's name can be imported by the others. */
function examplesOf(chapter: string): [path: string, code: string][] {
  const text = readFileSync(`${root}docs/${chapter}`, 'utf8');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code], at) => {
    const [, name = `example-${at + 1}.ts`] = /^\/\/ (\S+\.ts)$/m.exec(code!.split('\n', 1)[0]!) ?? [];
    return [`${root}test/types/docs/${chapter.slice(0, -'.md'.length)}/${name}`, code!];
  });
}

/** What is wrong with them, by path. One program for all: what they import is read once. */
function problemsOf(examples: ReadonlyMap<string, string>): ReadonlyMap<string, readonly string[]> {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)) as { config: object };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const host = ts.createCompilerHost({ ...options, noEmit: true });
  const real = { ...host };
  const folders = new Set([...examples.keys()].map((path) => path.slice(0, path.lastIndexOf('/'))));
  host.directoryExists = (path) =>
    folders.has(path) || path === `${root}test/types/docs` || real.directoryExists!(path);
  host.fileExists = (path) => examples.has(path) || real.fileExists(path);
  host.readFile = (path) => examples.get(path) ?? real.readFile(path);
  host.getSourceFile = (path, ...more) =>
    examples.has(path) ? ts.createSourceFile(path, examples.get(path)!, more[0]) : real.getSourceFile(path, ...more);
  // An example shows what there is: not everything in it is used.
  const program = ts.createProgram(
    [...examples.keys()],
    { ...options, noEmit: true, noUnusedLocals: false, noUnusedParameters: false },
    host,
  );
  return new Map(
    [...examples.keys()].map((path) => {
      const source = program.getSourceFile(path)!;
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [
        path,
        found.map(({ messageText, start }) => {
          const line = source.getLineAndCharacterOfPosition(start ?? 0).line + 1;
          return `line ${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
        }),
      ];
    }),
  );
}

describe('the examples of the chapters', () => {
  const examples = new Map(chapters.flatMap(examplesOf));
  let problems: ReadonlyMap<string, readonly string[]> | undefined;

  it('are there', () => {
    expect(examples.size).toBeGreaterThan(30);
  });

  it.each([...examples.keys()].map((path) => [path.slice(`${root}test/types/docs/`.length), path]))(
    'compile: %s',
    (_, path) => {
      problems ??= problemsOf(examples);
      expect(problems.get(path)).toEqual([]);
    },
    120_000,
  );
});
