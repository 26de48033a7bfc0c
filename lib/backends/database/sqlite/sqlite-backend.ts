import type { Backend, BackendContext } from '../../../contracts/backend.js';
import type { DatabaseConnectionOptions } from '../database-options.js';
import { tablesOf } from '../table-names.js';
import { BatchRows } from './batch-rows.js';
import { SqliteBatches } from './batches.js';
import { ClaimRows } from './claim.js';
import { SqliteClear } from './clear.js';
import { SqliteControl } from './control.js';
import { EffectRows } from './effects.js';
import { FailedRows, SqliteFailedJobs } from './failed-jobs.js';
import { installSqlite } from './install.js';
import { SqliteInspection } from './inspect.js';
import { SqliteLimits } from './limits.js';
import { LockRows, SqliteLocks } from './locks.js';
import { PushRows } from './push.js';
import { fileClock } from './file-clock.js';
import { SqliteSchema } from './schema.js';
import { SettleRows } from './settle.js';
import { SizeRows } from './size.js';
import { SqliteFile } from './sqlite-file.js';
import { SqliteQueue } from './sqlite-queue.js';
import { sqliteSource } from './sqlite-source.js';
import { Sweep } from './sweep.js';
import { watchOf } from './watch.js';
import { SqliteTransactions } from './within.js';

/** A verb of the side stores may wait so long for a locked file before it rejects. */
const PATIENCE = { ms: 5_000 };

/** Everything in one SQLite file: what follows an attempt is applied in the write that settles it. */
export function sqliteBackend(options: DatabaseConnectionOptions, given: BackendContext): Backend {
  const clock = fileClock(given.clock, () => file);
  const context: BackendContext = { ...given, clock };
  const tables = tablesOf(options, (name) => `"${name}"`);
  // A DataSource known by its name may not exist yet.
  const known = typeof options.dataSource === 'string' ? undefined : sqliteSource(options, context);
  const schema: SqliteSchema = new SqliteSchema(tables, {
    migrate: options.migrate ?? true,
    store: () => file.source.path,
  });
  const file: SqliteFile = new SqliteFile(() => known ?? sqliteSource(options, context), schema);

  const lockRows = new LockRows(tables);
  const pushes = new PushRows(tables, lockRows);
  const batchRows = new BatchRows(tables);
  const failedRows = new FailedRows(tables);
  const settles = new SettleRows(tables, new EffectRows(pushes, lockRows, batchRows, failedRows));

  let watch: Backend['watch'];
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    if (closing === undefined) {
      closing = file.close();
      queue.release();
    }
    return closing;
  };
  const queue: SqliteQueue = new SqliteQueue(
    {
      file,
      pushes,
      claims: new ClaimRows(tables),
      settles,
      sizes: new SizeRows(tables),
      sweep: new Sweep(tables),
      clearing: new SqliteClear(file, tables, lockRows, clock, PATIENCE),
      inspection: new SqliteInspection(file, tables, settles, lockRows, clock, PATIENCE),
      transactions: new SqliteTransactions(file, tables, schema, pushes, lockRows, clock),
    },
    context,
    close,
  );
  return {
    queue,
    locks: new SqliteLocks(file, lockRows, clock, PATIENCE),
    limits: new SqliteLimits(file, tables, clock, PATIENCE),
    failed: new SqliteFailedJobs(file, tables, failedRows, PATIENCE),
    batches: new SqliteBatches(file, batchRows, clock, PATIENCE),
    control: new SqliteControl(file, tables, clock, PATIENCE),
    atomic: new Set(['push', 'unlock', 'member', 'failure'] as const),
    get watch() {
      return watch;
    },
    async check() {
      await file.ready(PATIENCE);
      watch = await watchOf(file.source, tables);
    },
    schema: {
      kind: 'sqlite',
      get store() {
        return file.source.path;
      },
      install: () => installSqlite(file.source, tables, PATIENCE),
      script: () => schema.sql.script,
      migration: (part) => schema.sql.migration(part),
    },
    close,
  };
}
