import { InvalidOptionError } from '../support/queue-error.js';
import { checkOptions, record, table, text, whole, type OptionRule } from './option-check.js';

const RULES: Readonly<Record<string, OptionRule>> = {
  driver: text,
  connection: text,
  table,
  path: text,
  limit: whole(1),
};

/** What each driver is told beside its name. */
const TAKES: Readonly<Record<string, readonly string[]>> = {
  database: ['connection', 'table'],
  redis: ['connection'],
  file: ['path', 'limit'],
  memory: ['connection'],
  null: [],
  dynamodb: ['connection', 'table'],
};

/** The stores of failed jobs that an application may name. */
export const FAILED_DRIVERS: readonly string[] = ['database', 'redis', 'dynamodb', 'file', 'memory', 'null'];

/** @throws InvalidOptionError for what is unknown, has a wrong value, or belongs to another driver */
export function checkFailed(failed: unknown): void {
  record(failed, 'failed');
  const options = failed as Readonly<Record<string, unknown>>;
  checkOptions(options, RULES, 'failed');
  const driver = options['driver'] as string;
  const takes = Object.hasOwn(TAKES, driver) ? TAKES[driver]! : undefined;
  for (const [key, value] of Object.entries(options)) {
    if (!takes || key === 'driver' || value === undefined || takes.includes(key)) continue;
    const those = Object.keys(TAKES).filter((one) => one !== 'dynamodb' && TAKES[one]!.includes(key));
    throw new InvalidOptionError(
      `failed.${key} goes with the driver ${those.join(' or ')}, and failed.driver is ${driver}. Leave it out, or name another driver.`,
    );
  }
}
