import { describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../..', import.meta.url));

function problems(file: string): string[] {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)) as { config: object };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram([`${root}test/types/${file}`], { ...options, noEmit: true });
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      (one) => `${one.file?.fileName.slice(root.length)}: ${ts.flattenDiagnosticMessageText(one.messageText, '\n')}`,
    );
}

describe('the documented surface', () => {
  it.each([
    'api-blocks.ts',
    'middleware-blocks.ts',
    'closure-blocks.ts',
    'batch-blocks.ts',
    'fake-blocks.ts',
    'pipeline-blocks.ts',
    'interaction-blocks.ts',
  ])(
    'compiles, and refuses what it should: %s',
    (file) => {
      expect(problems(file)).toEqual([]);
    },
    60_000,
  );
});
