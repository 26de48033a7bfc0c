import { statementOf, type Flavour } from '../server/flavour.js';
import { MysqlBriefInsert } from './brief-insert.js';

/**
 * The server's clock. By UTC whatever the session's time zone is: it holds on an application's own connection too.
 */
export const NOW = `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)`;

/** So many parameters in brackets. */
export function listOf(count: number): string {
  return `(${Array.from({ length: count }, () => '?').join(', ')})`;
}

/** MySQL and MariaDB in one: nothing here that only one of them has. */
export const mysqlFlavour: Flavour = {
  now: NOW,
  // The isolation is the session's.
  begin: 'START TRANSACTION',
  forUpdate: 'FOR UPDATE',
  statement: statementOf,
  // Assigned from left to right: what stands further right sees the columns that were assigned before it.
  upsert: (insert, _, update) => `${insert} ON DUPLICATE KEY UPDATE ${update((column) => `VALUES(${column})`)}`,
  // INSERT IGNORE would turn every other fault into a warning as well.
  insertIgnoring: (insert, key) => {
    const [column] = key.split(',');
    return `${insert} ON DUPLICATE KEY UPDATE ${column!} = ${column!}`;
  },
  brief: (parts) => new MysqlBriefInsert(statementOf, parts),
  list: listOf,
};
