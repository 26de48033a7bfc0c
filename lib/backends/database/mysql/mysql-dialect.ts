import type { QueueStatements, ServerDialect } from '../server/dialect.js';
import type { Cell, Link } from '../server/link.js';
import type { Tables } from '../table-names.js';
import { ClaimRows } from './claim.js';
import { ClearRows } from './clear.js';
import { ExchangeRows } from './exchange.js';
import { InspectRows } from './inspect.js';
import { mysqlFaults } from './mysql-faults.js';
import { statementOf } from '../server/flavour.js';
import { mysqlFlavour } from './mysql-flavour.js';
import { mysqlLink } from './mysql-link.js';
import type { WatchData } from './mysql-watch.js';
import { connectionOptions, ownOptions } from './own-options.js';
import { PushRows } from './push.js';
import { RecoverRows } from './recover.js';
import { mysqlComponents } from './schema.js';
import { SettleRows } from './settle.js';
import { SizeRows } from './size.js';
import { TidyRows } from './tidy.js';

const WATCH_CONNECT_MS = 1_500;

const READ_ONLY = statementOf('SELECT @@GLOBAL.read_only, @@GLOBAL.innodb_read_only');
/** Whoever has one of these writes all the same. */
const PRIVILEGED = statementOf(
  `SELECT 1 FROM information_schema.user_privileges WHERE privilege_type IN ('SUPER', 'CONNECTION_ADMIN', 'READ_ONLY ADMIN', 'READ ONLY ADMIN') LIMIT 1`,
);

/** MySQL 8 and MariaDB from 10.6 on, by one set of statements. */
export const mysqlDialect: ServerDialect = {
  name: 'mysql',
  faults: mysqlFaults,
  flavour: mysqlFlavour,
  quote: (name) => `\`${name}\``,
  ownOptions,
  link: mysqlLink,
  async isReadOnly(link: Link) {
    const [[all, engine] = []] = (await link.query(READ_ONLY, [])).rows;
    if (isOn(engine)) return true;
    return isOn(all) && (await link.query(PRIVILEGED, [])).rows.length === 0;
  },
  statements,
  components: mysqlComponents,
  watch(options, tables) {
    const connection = connectionOptions(options, {
      applicationName: 'nestjs-queue watchdog',
      connectTimeoutMs: WATCH_CONNECT_MS,
    });
    if (connection === undefined) return undefined;
    const data: WatchData = { connection, tables };
    try {
      structuredClone(data);
    } catch {
      return undefined;
    }
    return { entry: new URL('./mysql-watch.js', import.meta.url), data };
  },
};

function statements(tables: Tables): QueueStatements {
  const pushes = new PushRows(tables);
  const claims = new ClaimRows(tables);
  const recovers = new RecoverRows(tables);
  const settles = new SettleRows(tables);
  const exchanges = new ExchangeRows(settles, claims);
  const sizes = new SizeRows(tables);
  const clears = new ClearRows(tables);
  const inspects = new InspectRows(tables, settles);
  const tidies = new TidyRows(tables);
  return {
    insert: (link, entries) => pushes.insert(link, entries),
    exists: (link, id) => pushes.exists(link, id),
    isFirst: (link, id) => pushes.isFirst(link, id),
    remember: (link, id, ttlMs) => pushes.remember(link, id, ttlMs),
    claim: (link, request) => claims.claim(link, request),
    claimWithin: (link, request) => claims.claimWithin(link, request),
    recover: (link, request) => recovers.recover(link, request),
    settle: (link, settlements) => settles.settle(link, settlements),
    settleOne: (link, settlement) => settles.settleOne(link, settlement),
    exchange: (link, settlements, request) => exchanges.exchange(link, settlements, request),
    ackWithin: (link, jobs) => settles.ackWithin(link, jobs),
    renew: (link, jobs, leaseMs) => settles.renew(link, jobs, leaseMs),
    size: (link, queues) => sizes.size(link, queues),
    clear: (link, queue, last, limit) => clears.clear(link, queue, last, limit),
    last: (link) => clears.last(link),
    page: (link, queue, state, options) => inspects.page(link, queue, state, options),
    find: (link, id) => inspects.find(link, id),
    remove: (link, id) => inspects.remove(link, id),
    queues: (link) => inspects.queues(link),
    tidy: (link) => tidies.tidy(link),
  };
}

/** A number, and a word in newer versions of MariaDB. */
function isOn(value: Cell | undefined): boolean {
  return !['0', 'OFF', 'UNDEFINED', 'NULL'].includes(String(value).toUpperCase());
}
