import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { SchemaPart } from '../contracts/backend.js';
import { connectionsWithTables, schemaOf } from '../operations/install-schema.js';
import { CommandError } from './command-error.js';
import type { QueueCommand } from './command.js';
import { packageRoot } from './find-app.js';
import { migrationThatMakes, moduleKind, writeMigration } from './migration-file.js';
import type { OpenApp } from './open-app.js';

export interface TableOptions {
  readonly connection?: string;
  readonly dir?: string;
  readonly js?: boolean;
}

/** A command that writes a migration for one part of the tables into the project it is called in. */
export function tableCommand(
  it: { readonly part: Exclude<SchemaPart, 'outbox'> } & Pick<QueueCommand, 'name' | 'alias' | 'summary'>,
): QueueCommand<TableOptions> {
  const { name, alias, summary, part } = it;
  return {
    name,
    ...(alias !== undefined && { alias }),
    summary,
    examples: ['', '--connection=reports', '--dir=src/database/migrations', '--js'],
    configure(command) {
      command
        .option('--connection <name>', 'whose tables; default: the connection that keeps them')
        .option('--dir <folder>', 'where to; default: src/migrations, or migrations where there is no src')
        .option('--js', 'write JavaScript instead of TypeScript');
    },
    async run({ options, output, open }) {
      const app = await open();
      const { connection, schema } = await schemaOf(app.connections, options.connection ?? keeperOf(part, app));
      const migration = schema.migration(part);
      const root = packageRoot(process.cwd());
      const folder = options.dir === undefined ? defaultFolder(root) : resolve(options.dir);
      const before = migrationThatMakes(migration.table, folder);
      if (before !== undefined) {
        throw new CommandError(
          `There is a migration already that creates the table ${migration.table}: ${relative(process.cwd(), before)}`,
          'Use that one, or remove it and run this again.',
        );
      }
      const file = writeMigration(folder, migration, options.js ? moduleKind(root) : 'typescript');
      output.result(`Migration created: ${relative(process.cwd(), file)} (${schema.kind}, for [${connection}])`, {
        file,
        connection,
        kind: schema.kind,
        table: migration.table,
      });
    },
  };
}

/** @throws CommandError where no database connection keeps it */
function keeperOf(part: Exclude<SchemaPart, 'outbox'>, { connections }: OpenApp): string {
  const withTables = connectionsWithTables(connections);
  const home =
    part === 'jobs' ? connections.defaultName : connections.homeOf(part === 'failed' ? 'failed' : 'batching');
  if (home !== undefined && connections.get(home).driver === 'database') return home;
  const [first] = part === 'jobs' ? withTables : [];
  if (first !== undefined) return first;
  const kept = { jobs: 'jobs', failed: 'failed jobs', batches: 'batches' }[part];
  throw new CommandError(
    `No database connection keeps ${kept}${home === undefined ? '' : `: they go to [${home}]`}.`,
    'Name the connection whose tables are meant: --connection=database',
  );
}

function defaultFolder(root: string): string {
  return existsSync(join(root, 'src')) ? join(root, 'src', 'migrations') : join(root, 'migrations');
}
