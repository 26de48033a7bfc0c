import type { Flavour } from '../server/flavour.js';
import { statementOf } from '../server/flavour.js';
import type { Statement } from '../server/link.js';
import { PostgresBriefInsert } from './brief-insert.js';

/**
 * Of the statement, not of its transaction, which may have begun long ago. Cut to whole ms: what is due at a moment is not seen before
 * it. `date_part` is in floating point in every version, where Postgres 14 made `extract` a numeric, ten times slower.
 */
export const NOW = `floor(date_part('epoch', statement_timestamp()) * 1000)::bigint`;

const statements = new Map<string, Statement>();

export const postgresFlavour: Flavour = {
  now: NOW,
  begin: 'BEGIN ISOLATION LEVEL READ COMMITTED',
  forUpdate: 'FOR UPDATE',
  statement(text) {
    let statement = statements.get(text);
    if (statement === undefined) {
      let count = 0;
      statement = statementOf(text.replace(/\?/g, () => `$${++count}`));
      statements.set(text, statement);
    }
    return statement;
  },
  upsert: (insert, key, update) =>
    `${insert} ON CONFLICT (${key}) DO UPDATE SET ${update((name) => `excluded.${name}`)}`,
  insertIgnoring: (insert, key) => `${insert} ON CONFLICT (${key}) DO NOTHING`,
  brief: (parts) => new PostgresBriefInsert((text) => postgresFlavour.statement(text), parts),
  list: (count) => `(${Array.from({ length: count }, () => '?').join(', ')})`,
};
