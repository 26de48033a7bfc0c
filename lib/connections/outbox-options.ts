import { InvalidOptionError } from '../support/queue-error.js';
import type { OutboxOptions } from './connection-options.js';
import { checkOptions, required, table, textOrRecord, wrong, type OptionRule } from './option-check.js';

/** Where a connection keeps its outbox. */
export interface ResolvedOutbox {
  readonly dataSource: string | object;
  readonly table: string;
}

const TABLE = 'queue_outbox';

export const outboxRule: OptionRule = (value, field) => {
  if (typeof value === 'boolean') return;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(field, value, "Give true, or name the DataSource: { dataSource: 'reports' }.");
  const options = { ...value } as Readonly<Record<string, unknown>>;
  checkOptions(options, { dataSource: textOrRecord, table }, field);
  required(options, 'dataSource', field, 'Name the DataSource whose transactions the jobs are committed with.');
};

export const noOutbox: OptionRule = (value, field) => {
  if (value === false) return;
  throw new InvalidOptionError(
    `${field}: a database connection needs no outbox. Dispatch with .within(manager), and the job is committed with the caller's transaction.`,
  );
};

export function resolveOutbox(given: unknown): { readonly outbox?: ResolvedOutbox } {
  const options = given as OutboxOptions | undefined;
  if (options === undefined || options === false) return {};
  const { dataSource, table: name = TABLE } = options === true ? { dataSource: 'default' } : options;
  return { outbox: { dataSource, table: name } };
}
