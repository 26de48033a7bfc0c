import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SchemaMigration } from '../contracts/backend.js';

/** How the file's class is written and exported. */
export type Language = 'typescript' | 'esm' | 'commonjs';

/** What Node takes a .js file of the package for. */
export function moduleKind(root: string): 'esm' | 'commonjs' {
  try {
    const { type } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { type?: unknown };
    return type === 'module' ? 'esm' : 'commonjs';
  } catch {
    return 'commonjs';
  }
}

/** The migration in a folder, or below it, that creates a table: by SQL or by TypeORM's `new Table()`. */
export function migrationThatMakes(table: string, folder: string): string | undefined {
  if (!existsSync(folder)) return undefined;
  const making = new RegExp(
    `create\\s+table\\s+(if\\s+not\\s+exists\\s+)?\\\\?["\`]?${table}(?![A-Za-z0-9_])|new\\s+Table\\(\\s*\\{\\s*name:\\s*["'\`]${table}["'\`]`,
    'i',
  );
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name) && !/\.d\.[cm]?ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .find((file) => making.test(readFileSync(file, 'utf8')));
}

/** Writes the migration under a name of TypeORM's kind, `1767225600000-create-jobs-table.ts`. Returns its path. */
export function writeMigration(
  folder: string,
  migration: SchemaMigration,
  language: Language,
  now = Date.now(),
): string {
  mkdirSync(folder, { recursive: true });
  const file = join(
    folder,
    `${now}-create-${migration.table.replaceAll('_', '-')}-table.${language === 'typescript' ? 'ts' : 'js'}`,
  );
  writeFileSync(file, migrationText(migration, language, now), { flag: 'wx' });
  return file;
}

/** The whole file: it needs nothing of this package. `now` are the 13 digits that TypeORM sorts migrations by. */
export function migrationText(migration: SchemaMigration, language: Language, now: number): string {
  const { table, up, down, versions } = migration;
  const typed = language === 'typescript';
  const name = `Create${pascal(table)}Table${now}`;
  const lines = [
    ...(typed ? [`import type { MigrationInterface, QueryRunner } from 'typeorm';`, ''] : []),
    `${language === 'commonjs' ? '' : 'export '}class ${name}${typed ? ' implements MigrationInterface' : ''} {`,
    `  name = '${name}';`,
    '',
    `  async up(queryRunner${typed ? ': QueryRunner' : ''})${typed ? ': Promise<void>' : ''} {`,
    ...up.map(query),
    '  }',
    '',
    `  async down(queryRunner${typed ? ': QueryRunner' : ''})${typed ? ': Promise<void>' : ''} {`,
    ...down.map(query),
    `    const left = await queryRunner.query(${quoted(`SELECT name FROM ${versions}`)});`,
    `    if (left.length === 0) await queryRunner.query(${quoted(`DROP TABLE ${versions}`)});`,
    '  }',
    '}',
    ...(language === 'commonjs' ? ['', `module.exports = { ${name} };`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function query(statement: string): string {
  return `    await queryRunner.query(${quoted(statement)});`;
}

function quoted(sql: string): string {
  return `\`${sql.replace(/[\\`]|\$\{/g, '\\$&')}\``;
}

function pascal(name: string): string {
  return name
    .split('_')
    .filter((word) => word !== '')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
