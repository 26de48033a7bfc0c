import { unlimited } from '../contracts/driver-limits.js';
import type {
  InspectAbility,
  PushEntry,
  PushResult,
  QueueDriver,
  QueueSize,
  SettleResult,
} from '../contracts/queue-driver.js';
import { pause } from '../support/abort.js';
import type { Clock } from '../support/clock.js';

export interface RecordingParts {
  /** Keeps what is recorded, as a store would: nobody takes it from there. */
  readonly kept: QueueDriver;
  /** The connection's own driver, where it could be made without opening anything. Asked for what it can do. */
  readonly real: QueueDriver | undefined;
  /** Jobs that are not faked go to the real driver. */
  readonly passesOn: boolean;
  readonly isFaked: (entry: PushEntry) => boolean;
  /** Told of what has been kept. */
  readonly recorded: (entry: PushEntry) => void;
  /** These were kept in an open transaction of this manager. */
  readonly within: (manager: unknown, entries: readonly PushEntry[]) => void;
  readonly clock: Clock;
}

type Push = QueueDriver['push'];

/** A driver with the limits and abilities of the real one that keeps jobs instead of storing them, and gives none to workers. */
export function recordingDriver({
  kept,
  real,
  passesOn,
  isFaked,
  recorded,
  within,
  clock,
}: RecordingParts): QueueDriver {
  const beyond = passesOn ? real : undefined;
  const keep: Push = async (entries) => {
    const results = await kept.push(entries);
    results.forEach((result, index) => result.stored && recorded(entries[index]!));
    return results;
  };
  const push = (others: Push | undefined): Push => (others ? split(keep, others, isFaked) : keep);
  const transactions = real?.transactions;
  // What forgets its jobs holds no lock for them; what runs them does, here, until it is told to let go.
  const storeless = beyond ? beyond.storeless : real?.storeless === 'discards' ? real.storeless : undefined;
  return {
    limits: real?.limits ?? unlimited,
    push: push(beyond && ((entries) => beyond.push(entries))),
    async reserve(request) {
      if (beyond) return beyond.reserve(request);
      await pause(request.waitMs, request.signal, clock);
      return [];
    },
    settle: (settlements) =>
      beyond
        ? beyond.settle(settlements)
        : Promise.resolve(settlements.map((): SettleResult => ({ ok: false, reason: 'lease-lost' }))),
    size: async (queues) => {
      const own = await kept.size(queues);
      const others = beyond ? await beyond.size(queues) : [];
      return own.map((size, index) => total(size, others[index]));
    },
    ...(beyond?.counting && { counting: beyond.counting }),
    ...(storeless && { storeless }),
    ...(beyond?.exchange && { exchange: beyond.exchange.bind(beyond) }),
    ...(beyond?.leases && { leases: beyond.leases }),
    ...(real?.clearing && {
      clearing: {
        clear: async (queue) => {
          const own = await kept.clearing!.clear(queue);
          const others = beyond ? await beyond.clearing!.clear(queue) : 0;
          return own === undefined || others === undefined ? undefined : own + others;
        },
      },
    }),
    ...(real?.inspection && {
      inspection: beyond ? both(kept.inspection!, beyond.inspection!) : kept.inspection!,
    }),
    ...(transactions && {
      transactions: {
        // Asked, so that another database's manager is refused as ever. It opens nothing before it is given a job.
        within: (manager) => {
          const inner = transactions.within(manager);
          const store = push(beyond && ((entries) => inner.push(entries)));
          return {
            push: async (entries) => {
              const results = await store(entries);
              within(
                manager,
                entries.filter((entry, index) => results[index]!.stored && isFaked(entry)),
              );
              return results;
            },
          };
        },
        ...(transactions.joins && { joins: transactions.joins.bind(transactions) }),
        ...(transactions.covers && { covers: transactions.covers.bind(transactions) }),
        ...(beyond && transactions.committed && { committed: transactions.committed.bind(transactions) }),
      },
    }),
  };
}

function split(keep: Push, others: Push, isFaked: (entry: PushEntry) => boolean): Push {
  return async (entries) => {
    const faked = entries.filter(isFaked);
    if (faked.length === 0) return others(entries);
    const mine = await keep(faked);
    const rest = entries.filter((entry) => !faked.includes(entry));
    const theirs =
      rest.length === 0
        ? []
        : await others(rest).catch((error: unknown) =>
            rest.map((): PushResult => ({ stored: false, reason: 'error', error })),
          );
    const answers = new Map<PushEntry, PushResult>();
    faked.forEach((entry, index) => answers.set(entry, mine[index]!));
    rest.forEach((entry, index) => answers.set(entry, theirs[index]!));
    return entries.map((entry) => answers.get(entry)!);
  };
}

function total(one: QueueSize, other: QueueSize | undefined): QueueSize {
  if (!other) return one;
  const since = [one.oldestPendingAt, other.oldestPendingAt].filter((moment) => moment !== undefined);
  const sum = (a: number | undefined, b: number | undefined): number | undefined =>
    a === undefined || b === undefined ? undefined : a + b;
  const [delayed, reserved] = [sum(one.delayed, other.delayed), sum(one.reserved, other.reserved)];
  return {
    pending: one.pending + other.pending,
    ...(delayed !== undefined && { delayed }),
    ...(reserved !== undefined && { reserved }),
    ...(since.length > 0 && { oldestPendingAt: Math.min(...since) }),
  };
}

/** Where a page stands: the recorded jobs come first. */
const [MINE, THEIRS] = ['recorded:', 'stored:'];

function both(mine: InspectAbility, theirs: InspectAbility): InspectAbility {
  return {
    page: async (queue, state, { limit, cursor }) => {
      const jobs = [];
      if (cursor === undefined || cursor.startsWith(MINE)) {
        const at = cursor?.slice(MINE.length);
        const page = await mine.page(queue, state, { limit, ...(at !== undefined && { cursor: at }) });
        if (page.next !== undefined) return { jobs: page.jobs, next: `${MINE}${page.next}` };
        if (page.jobs.length >= limit) return { jobs: page.jobs, next: THEIRS };
        jobs.push(...page.jobs);
      }
      const at = cursor?.startsWith(THEIRS) ? cursor.slice(THEIRS.length) : '';
      const page = await theirs.page(queue, state, { limit: limit - jobs.length, ...(at !== '' && { cursor: at }) });
      return { jobs: [...jobs, ...page.jobs], ...(page.next !== undefined && { next: `${THEIRS}${page.next}` }) };
    },
    find: async (id) => (await mine.find(id)) ?? theirs.find(id),
    remove: async (id) => (await mine.remove(id)) || theirs.remove(id),
    queues: async () => [...new Set([...(await mine.queues()), ...(await theirs.queues())])],
  };
}
