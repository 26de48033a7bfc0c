import { connectionsToInstall, installSchema, schemaOf, storeAnswers } from '../../operations/install-schema.js';
import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import type { OpenApp } from '../open-app.js';
import type { Output } from '../output.js';

interface Options {
  readonly print?: boolean;
}

export const install: QueueCommand<Options> = {
  name: 'queue:install',
  summary: 'create or update the tables of the database connections, and of outboxes',
  examples: ['', 'reports', '--print > queue.sql'],
  configure(command) {
    command
      .argument('[connection]', 'default: every one in use that has tables or an outbox')
      .option('--print', 'print the SQL for an empty database, and change nothing');
  },
  async run({ args, options, output, open }) {
    const app = await open();
    const named = args[0] as string | undefined;
    const names = named === undefined ? connectionsToInstall(app.connections) : [named];
    if (names.length === 0 && !output.options.json) {
      output.say('No database connection and no outbox is in use: there is nothing to install.');
      return 0;
    }
    return options.print ? print(app, names, output) : make(app, names, output);
  },
};

/** One connection that cannot be reached does not hold up the others. */
async function make(app: OpenApp, names: readonly string[], output: Output): Promise<number> {
  const done: object[] = [];
  let code = 0;
  for (const name of names) {
    try {
      const made = await answerWithin(installSchema(app.connections, name), () => storeAnswers(app.connections, name));
      done.push(made);
      if (output.options.json) continue;
      const what = made.applied.length === 0 ? 'already up to date' : `installed ${made.applied.join(', ')}`;
      output.say(`[${made.connection}] ${what} in ${made.store}`);
    } catch (error) {
      code = 1;
      output.error(error);
    }
  }
  if (output.options.json) output.json(done);
  return code;
}

async function print(app: OpenApp, names: readonly string[], output: Output): Promise<number> {
  const scripts = [];
  for (const name of names) {
    const { connection, schema } = await schemaOf(app.connections, name);
    scripts.push({ connection, kind: schema.kind, store: schema.store, sql: schema.script() });
  }
  if (output.options.json) {
    output.json(scripts);
    return 0;
  }
  for (const { connection, store, sql } of scripts) {
    output.line(`-- ${connection}: ${store}`);
    for (const statement of sql) output.line(`${statement};`);
  }
  return 0;
}
