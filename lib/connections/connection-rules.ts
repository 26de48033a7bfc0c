import {
  atLeastMs,
  checkOptions,
  duration,
  flag,
  record,
  required,
  table,
  text,
  textOrRecord,
  texts,
  whole,
  type OptionRule,
} from './option-check.js';
import { noOutbox, outboxRule } from './outbox-options.js';
import { assertQueueName } from './queue-name.js';

const driver: OptionRule = text;
const queue: OptionRule = (value) => assertQueueName(value);
const retryAfter = atLeastMs(1_000);
const common = { queue, retryAfter, afterCommit: flag };
const RULES: Readonly<Record<string, Readonly<Record<string, OptionRule>>>> = {
  sync: { driver, afterCommit: flag },
  deferred: { driver, afterCommit: flag },
  null: { driver },
  memory: { driver, ...common, outbox: outboxRule },
  database: { driver, ...common, outbox: noOutbox, dataSource: textOrRecord, table, migrate: flag, prefetch: whole(0) },
  redis: {
    driver,
    ...common,
    url: text,
    options: record,
    cluster: record,
    client: record,
    prefix: text,
    blockFor: duration,
    outbox: outboxRule,
    strict: flag,
    prefetch: whole(0),
  },
  sqs: {
    driver,
    region: text,
    queue,
    prefix: text,
    suffix: text,
    endpoint: text,
    credentials: record,
    afterCommit: flag,
    outbox: outboxRule,
    overflow: record,
  },
  beanstalkd: { driver, ...common, outbox: outboxRule, host: text, port: whole(1) },
  failover: { driver, connections: texts },
};
/** What any driver may be told: these the module itself reads. */
const ANY_DRIVER: Readonly<Record<string, OptionRule>> = {
  driver,
  ...common,
  outbox: outboxRule,
  blockFor: duration,
  prefetch: whole(0),
};
const NEEDED: Readonly<Record<string, string>> = { sqs: 'region', beanstalkd: 'host', failover: 'connections' };

type Given = Readonly<Record<string, unknown>>;

/**
 * Checks what a connection was given. A driver of somebody's own has options that only it knows.
 *
 * @param own the names of such drivers
 * @throws InvalidOptionError, InvalidQueueNameError
 */
export function checkConnection(name: string, value: unknown, own: ReadonlySet<string>): Given & { driver: string } {
  const at = `connections.${name}`;
  record(value, at);
  const options = value as Given;
  required(options, 'driver', at, `Say which one: { driver: 'database' }.`);
  text(options['driver'], `${at}.driver`);
  const chosen = options['driver'] as string;
  const rules = own.has(chosen) || !Object.hasOwn(RULES, chosen) ? undefined : RULES[chosen];
  if (rules) {
    checkOptions(options, rules, at);
    const needed = NEEDED[chosen];
    if (needed !== undefined) required(options, needed, at, `The ${chosen} driver needs it.`);
  } else {
    const shared = Object.entries(options).filter(([key]) => Object.hasOwn(ANY_DRIVER, key));
    checkOptions(Object.fromEntries(shared), ANY_DRIVER, at);
  }
  return options as Given & { driver: string };
}
