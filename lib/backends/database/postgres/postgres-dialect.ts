import type { ServerDialect } from '../server/dialect.js';
import { statementOf } from '../server/flavour.js';
import { clientOptions, ownOptions } from './own-options.js';
import { PostgresBells } from './postgres-bells.js';
import { postgresFaults } from './postgres-faults.js';
import { postgresFlavour } from './postgres-flavour.js';
import { postgresLink } from './postgres-link.js';
import type { PostgresWatchData } from './postgres-watch.js';
import { postgresStatements } from './queue-statements.js';
import { postgresComponents } from './schema.js';

const READ_ONLY = statementOf(
  `SELECT CASE WHEN pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' THEN 1 ELSE 0 END AS read_only`,
);

/** PostgreSQL 13 and later. */
export const postgresDialect: ServerDialect = {
  name: 'postgres',
  faults: postgresFaults,
  flavour: postgresFlavour,
  quote: (name) => `"${name}"`,
  ownOptions,
  link: postgresLink,
  isReadOnly: async (link) => Number((await link.query<[number]>(READ_ONLY, [])).rows[0]![0]) === 1,
  statements: postgresStatements,
  components: postgresComponents,
  bells: (services) => new PostgresBells(services),
  watch(options, tables) {
    const client = clientOptions(options, `nestjs-queue watchdog ${process.pid}`);
    if (client === undefined) return undefined;
    const data: PostgresWatchData = { client, tables };
    return { entry: new URL('./postgres-watch.js', import.meta.url), data };
  },
};
