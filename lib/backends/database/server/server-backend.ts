import type { Backend, BackendContext } from '../../../contracts/backend.js';
import { StoreRefusedError } from '../../../contracts/store-errors.js';
import type { DatabaseConnectionOptions } from '../database-options.js';
import { tablesOf } from '../table-names.js';
import { BatchRows } from './batch-rows.js';
import type { ServerDialect } from './dialect.js';
import { EffectRows } from './effect-rows.js';
import { EntryRows } from './entry-rows.js';
import { FailedRows } from './failed-rows.js';
import { Lane } from './lane.js';
import { atomically, type Link } from './link.js';
import { LockRows } from './lock-rows.js';
import { OwnDataSource } from './own-data-source.js';
import { QueueBells } from './queue-bells.js';
import { ServerBatches } from './server-batches.js';
import { ServerControl } from './server-control.js';
import { ServerFailedJobs } from './server-failed-jobs.js';
import { ServerClear, ServerInspection } from './server-inspection.js';
import { ServerLimits } from './server-limits.js';
import { ServerLocks } from './server-locks.js';
import { ServerPush } from './server-push.js';
import { ServerQueue } from './server-queue.js';
import { ServerSchema } from './server-schema.js';
import { ServerSettle } from './server-settle.js';
import type { ServerSource } from './server-source.js';
import type { SideStore } from './side-store.js';
import { StoreAccess } from './store-access.js';
import { ServerTransactions } from './within.js';

/** Connections for everything but renewals and waiting: a worker that claims and hands in at once, and one beside it. */
const WORK_LINKS = 3;
/** One renews leases, one listens. */
const SET_APART = 2;
/** A verb of the side stores may take so long, with all its repeats. */
const PATIENCE = { ms: 5_000, lost: 'repeat' } as const;
const CONNECT_MS = 3_000;
/** The tables of a large queue take a while to be made or changed. */
const INSTALL_MS = 60_000;

/** Everything in one database of a server: what follows an attempt is applied in the transaction that settles it. */
export function serverBackend(
  source: ServerSource,
  dialect: ServerDialect,
  options: DatabaseConnectionOptions,
  context: BackendContext,
): Backend {
  const { connection, dispatchTimeoutMs } = context;
  const { flavour, faults } = dialect;
  const tables = tablesOf(options, (name) => dialect.quote(name));
  const statements = dialect.statements(tables);
  const schema = new ServerSchema(dialect, tables, { store: () => source.store });

  const pool = new OwnDataSource(source.options, dialect, {
    applicationName: `nestjs-queue ${connection} ${process.pid}`,
    poolSize: WORK_LINKS + SET_APART,
    connectTimeoutMs: CONNECT_MS,
  });
  const connect = () => pool.connect();
  const work = new Lane(WORK_LINKS, connect);
  const leases = new Lane(1, connect, true);
  const prepare = async (link: Link): Promise<void> => {
    if (options.migrate) await schema.install(link);
    else await schema.check(link);
  };
  const access = new StoreAccess({ connection, store: source.store }, faults, prepare);
  const side: SideStore = {
    read: (run) => access.use(work, run, PATIENCE),
    write: (run) => access.use(work, (link) => atomically(link, flavour.begin, () => run(link)), PATIENCE),
  };

  const bells: QueueBells = new QueueBells(
    dialect.bells?.({
      channel: `queue_${tables.bare.jobs}`,
      openLink: connect,
      use: (run) => access.use(work, run, { ms: 1_000, lost: 'tell' }),
      rung: (queue) => bells.rung(queue),
    }),
  );

  const lockRows = new LockRows(tables, flavour);
  const failedRows = new FailedRows(tables, flavour);
  const batchRows = new BatchRows(tables, flavour);
  const entries = new EntryRows(statements, lockRows, faults);
  const effects = new EffectRows(entries, lockRows, batchRows, failedRows);

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= closeAll());
  const closeAll = async (): Promise<void> => {
    access.close();
    await bells.close();
    work.close();
    leases.close();
    await pool.close();
  };

  const inspecting = <T>(run: Parameters<typeof access.use<T>>[1]): Promise<T> => access.use(work, run, PATIENCE);
  const queue = new ServerQueue(
    {
      access,
      lanes: { work, leases },
      statements,
      push: new ServerPush({
        access,
        lane: work,
        statements,
        entries,
        faults,
        begin: flavour.begin,
        connection,
        dispatchTimeoutMs,
        stored: (queues) => bells.stored(queues),
      }),
      settle: new ServerSettle({ access, lane: work, statements, effects, faults, begin: flavour.begin }),
      bells,
      clearing: new ServerClear(statements, inspecting),
      inspection: new ServerInspection(statements, inspecting),
      transactions: new ServerTransactions(
        source,
        dialect,
        statements,
        entries,
        (queues) => bells.storedSoon(queues),
        () => access.ready(work, dispatchTimeoutMs),
        (queues) => bells.stored(queues),
      ),
    },
    context,
    close,
  );
  return {
    queue,
    locks: new ServerLocks(side, lockRows),
    limits: new ServerLimits(side, tables, flavour),
    failed: new ServerFailedJobs(side, tables, flavour, failedRows),
    batches: new ServerBatches(side, batchRows),
    control: new ServerControl(side, tables, flavour),
    atomic: new Set(['push', 'unlock', 'member', 'failure'] as const),
    schema: {
      kind: dialect.name,
      store: source.store,
      async install() {
        // A server that is away is told of after seconds, not after the time that an installation may take.
        await access.use(work, (link) => link.run('SELECT 1'), { ...PATIENCE, early: true });
        return access.use(work, (link) => schema.install(link), { ms: INSTALL_MS, lost: 'repeat', early: true });
      },
      script: () => schema.script(),
      migration: (part) => schema.migration(part),
    },
    watch: dialect.watch(source.options, tables),
    async check() {
      await access.ready(work, options.migrate ? INSTALL_MS : PATIENCE.ms);
      const readOnly = await access.use(work, (link) => dialect.isReadOnly(link), PATIENCE);
      if (readOnly) {
        throw new StoreRefusedError(
          connection,
          source.store,
          new Error('it takes no writes'),
          'Name the primary server, or end its read-only mode.',
        );
      }
    },
    close,
  };
}
