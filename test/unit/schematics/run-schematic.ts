import type { Rule } from '../../../lib/schematics/tree.js';
import { TreeInMemory } from './tree-in-memory.js';

export interface Ran {
  /** The files as they are now, by their paths without the first slash. */
  readonly files: Readonly<Record<string, string>>;
  /** Those that were created or changed. */
  readonly touched: readonly string[];
  readonly said: readonly string[];
  readonly warned: readonly string[];
  readonly tasks: readonly { name: string; options: object }[];
}

/** Runs a schematic over files in memory. */
export async function runSchematic(files: Readonly<Record<string, string>>, rule: Rule): Promise<Ran> {
  const tree = new TreeInMemory(files);
  const said: string[] = [];
  const warned: string[] = [];
  const tasks: { name: string; options: object }[] = [];
  await rule(tree, {
    logger: { info: (message) => said.push(message), warn: (message) => warned.push(message) },
    addTask: (task) => tasks.push(task.toConfiguration()),
  });
  const after = Object.fromEntries([...tree.files].map(([path, content]) => [path.slice(1), content]));
  const touched = Object.keys(after).filter((path) => after[path] !== files[path]);
  return { files: after, touched, said, warned, tasks };
}

export const APP_MODULE = `import { Module } from '@nestjs/common';
import { AppController } from './app.controller.js';
import { AppService } from './app.service.js';

@Module({
  imports: [],
  controllers: [AppController],
  providers: [AppService],
})
export class AppModule {}
`;

/** As \`nest new\` of Nest 12 writes it: ES modules and Vitest. */
export const ESM_APP = {
  'package.json': `${JSON.stringify(
    {
      name: 'app',
      type: 'module',
      scripts: { test: 'vitest run' },
      dependencies: { '@nestjs/common': '^12.0.0', rxjs: '^7.8.1' },
      devDependencies: { vitest: '^4.1.2' },
    },
    null,
    2,
  )}\n`,
  'nest-cli.json': `{ "sourceRoot": "src" }`,
  'tsconfig.json': `{
    // With a comment, as compilers allow.
    "compilerOptions": { "outDir": "./dist", "rootDir": "." },
  }`,
  'tsconfig.build.json': `{ "extends": "./tsconfig.json", "compilerOptions": { "rootDir": "./src" } }`,
  'src/app.module.ts': APP_MODULE,
};

const JEST = { testRegex: '.*\\.spec\\.ts$', transform: { '^.+\\.(t|j)s$': 'ts-jest' } };

/** As \`nest new\` of Nest 11 writes it: CommonJS and Jest. */
export const COMMONJS_APP = {
  'package.json': `${JSON.stringify(
    {
      name: 'app',
      scripts: { test: 'jest' },
      dependencies: { '@nestjs/common': '^11.0.0', rxjs: '^7.8.1' },
      devDependencies: { '@types/jest': '^30.0.0', jest: '^30.0.0', 'ts-jest': '^29.2.5' },
      jest: JEST,
    },
    null,
    2,
  )}\n`,
  'nest-cli.json': `{ "sourceRoot": "src" }`,
  'tsconfig.json': `{ "compilerOptions": { "outDir": "./dist", "baseUrl": "./" } }`,
  'tsconfig.build.json': `{ "extends": "./tsconfig.json", "exclude": ["test"] }`,
  'test/jest-e2e.json': JSON.stringify({ rootDir: '.', transform: JEST.transform }),
  'src/app.module.ts': APP_MODULE.replaceAll(`.js'`, `'`),
};
