import type { BackendContext } from '../../../contracts/backend.js';
import { unlimited } from '../../../contracts/driver-limits.js';
import type {
  ExchangeAbility,
  LeaseAbility,
  PushEntry,
  PushResult,
  QueueDriver,
  QueueSize,
  ReservedJob,
  ReserveRequest,
  Settlement,
  SettleResult,
} from '../../../contracts/queue-driver.js';
import { takeOrWait } from '../../../support/take-or-wait.js';
import { IdlePoll, sweepEveryMs } from '../../idle-poll.js';
import { StoreBusyError, StoreClosedError } from '../../store-state-errors.js';
import type { ClaimRows, Outlook } from './claim.js';
import type { SqliteClear } from './clear.js';
import { bellOf, type FileBell } from './file-bell.js';
import type { SqliteInspection } from './inspect.js';
import { PushDesk } from './push-desk.js';
import { NotAsOne, type PushRows } from './push.js';
import type { Session } from './session.js';
import type { SettleRows } from './settle.js';
import type { SizeRows } from './size.js';
import type { Patience, SqliteFile } from './sqlite-file.js';
import type { Sweep } from './sweep.js';
import type { SqliteTransactions } from './within.js';

/** A settlement may wait so long for a locked file; then it is answered with `error`, and can be handed in again. */
const SETTLE_MS = 5_000;
/** A reserve that does not wait still lets a writer finish: an empty answer would mean that the queue is empty. */
const SHORTEST_RESERVE_MS = 1_000;
/** A busy worker looks for leases that ran out so often at most; what finds no jobs looks always. */
const SWEEP_EVERY_MS = 50;
/** Pauses between the looks of an idle worker: where it hears of pushes by the file, looking is for what was missed. */
const LONGEST_POLL_MS = { deaf: 1_000, hearing: 3_000 };

type SettleAll = (session: Session, now: number) => readonly SettleResult[];

interface Parts {
  readonly file: SqliteFile;
  readonly pushes: PushRows;
  readonly claims: ClaimRows;
  readonly settles: SettleRows;
  readonly sizes: SizeRows;
  readonly sweep: Sweep;
  readonly clearing: SqliteClear;
  readonly inspection: SqliteInspection;
  readonly transactions: SqliteTransactions;
}

/** The queue driver on a SQLite file. */
export class SqliteQueue implements QueueDriver {
  readonly limits = unlimited;
  readonly clearing: SqliteClear;
  readonly inspection: SqliteInspection;
  readonly transactions: SqliteTransactions;
  readonly leases: LeaseAbility = { renew: (jobs, leaseMs) => this.#renew(jobs, leaseMs) };
  readonly #desk: PushDesk;
  readonly #poll: IdlePoll;
  #bell: FileBell | undefined;

  constructor(
    private readonly parts: Parts,
    private readonly context: BackendContext,
    private readonly closeAll: () => Promise<void>,
  ) {
    this.clearing = parts.clearing;
    this.inspection = parts.inspection;
    this.transactions = parts.transactions;
    this.#poll = new IdlePoll(context.clock, LONGEST_POLL_MS);
    this.#desk = new PushDesk(parts.file, parts.pushes, context, () => this.#ring());
  }

  push(entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    return this.#desk.push(entries);
  }

  async reserve(request: ReserveRequest): Promise<readonly ReservedJob[]> {
    const { clock } = this.context;
    if (request.signal.aborted || request.limit < 1 || request.queues.length === 0) return [];
    const patience: Patience = { ms: Math.max(SHORTEST_RESERVE_MS, request.waitMs), signal: request.signal };
    const sweepMs = sweepEveryMs(request.leaseMs);
    let listening: ReturnType<FileBell['listen']> | undefined;
    let nextAt = Infinity;
    let rings = -1;
    let lookedAt = -Infinity;
    let pauseMs = 0;
    try {
      await this.parts.file.ready(patience);
      const bell = this.#openBell();
      const jobs = await takeOrWait({
        take: async () => {
          // The end of the wait, and nothing was to be heard: the next call looks at once.
          const quiet = bell.hears && bell.rings === rings && clock.elapsed() - lookedAt < pauseMs;
          if (quiet && !request.signal.aborted) return [];
          rings = bell.rings;
          lookedAt = clock.elapsed();
          let outlook = await this.#look(request, patience);
          if (!outlook.due && request.waitMs > 0) {
            // Put up again where the WAL was made anew meanwhile.
            const before = listening;
            listening = bell.listen();
            before?.off();
            if (listening.fresh) outlook = await this.#look(request, patience);
          }
          nextAt = outlook.nextAt ?? Infinity;
          return outlook.due ? await this.#claim(request, patience) : [];
        },
        bell: bell.doorbell,
        pollMs: () => (pauseMs = Math.min(this.#poll.ms(bell.hears), sweepMs, nextAt - clock.now())),
        waitMs: request.waitMs,
        signal: request.signal,
        clock,
      });
      if (jobs.length > 0) this.#poll.found();
      return jobs;
    } catch (error) {
      // An ended wait has its answer, ended by its signal or by `close()`. A file that stays locked has none: it is not an empty queue.
      if (error instanceof StoreBusyError && request.signal.aborted) return [];
      if (error instanceof StoreClosedError && listening) return [];
      throw error;
    } finally {
      listening?.off();
    }
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    if (settlements.length === 0) return [];
    try {
      const settled = await this.#settling(settlements, (session, now, settleAll) => settleAll(session, now));
      if (settlements.some(makesWork)) this.#ring();
      return settled;
    } catch (error) {
      return settlements.map(() => failed(error));
    }
  }

  readonly exchange: ExchangeAbility = async (settlements, request) => {
    if (settlements.length === 0) return { settled: [], jobs: await this.reserve({ ...request, waitMs: 0 }) };
    try {
      const traded = await this.#settling(settlements, (session, now, settleAll) => {
        const settled = settleAll(session, now);
        return { settled, jobs: request.signal.aborted ? [] : this.#take(session, request, now, SWEEP_EVERY_MS) };
      });
      if (traded.jobs.length > 0) this.#poll.found();
      if (settlements.some(makesWork)) this.#ring();
      return traded;
    } catch (error) {
      return { settled: settlements.map(() => failed(error)), jobs: [] };
    }
  };

  size(queues: readonly string[]): Promise<readonly QueueSize[]> {
    const now = this.context.clock.now();
    return this.parts.file.read((session) => queues.map((queue) => this.parts.sizes.size(session, queue, now)), {
      ms: SETTLE_MS,
    });
  }

  close(): Promise<void> {
    return this.closeAll();
  }

  /** Wakes who waits on this handle; they find it closed. */
  release(): void {
    this.#bell?.ring();
    this.#bell?.drop();
    this.#bell = undefined;
  }

  async #renew(jobs: readonly ReservedJob[], leaseMs: number): Promise<readonly SettleResult[]> {
    if (jobs.length === 0) return [];
    // A lease of a millisecond is one that is given back: that is no reason to hurry.
    const patience = { ms: Math.min(SETTLE_MS, Math.max(200, leaseMs / 6)) };
    try {
      return await this.#write(
        (session, now) => jobs.map((job) => this.parts.settles.renew(session, job, leaseMs, now)),
        patience,
      );
    } catch (error) {
      return jobs.map(() => failed(error));
    }
  }

  /** A look takes no lock, so an idle worker never writes. */
  #look({ queues }: ReserveRequest, patience: Patience): Promise<Outlook> {
    return this.parts.file.read((session) => {
      return this.parts.claims.look(session, queues, this.context.clock.now());
    }, patience);
  }

  #claim(request: ReserveRequest, patience: Patience): Promise<readonly ReservedJob[]> {
    return this.#write((session, now) => this.#take(session, request, now), patience);
  }

  #take(session: Session, request: ReserveRequest, now: number, sweepEveryMs = 0): readonly ReservedJob[] {
    this.parts.sweep.run(session, now, sweepEveryMs);
    if (request.limit < 1) return [];
    return this.parts.claims.take(session, request.queues, request.limit, request.leaseMs, now);
  }

  /** All acks by one statement, if it comes out; else, in another go, one by one. */
  async #settling<T>(
    settlements: readonly Settlement[],
    unit: (session: Session, now: number, settleAll: SettleAll) => T,
  ): Promise<T> {
    const { settles } = this.parts;
    const patience = { ms: SETTLE_MS };
    try {
      const asOne: SettleAll = (session, now) => settles.settleAll(session, settlements, now);
      return await this.#write((session, now) => unit(session, now, asOne), patience);
    } catch (error) {
      if (!(error instanceof NotAsOne)) throw error;
    }
    const oneByOne: SettleAll = (session, now) => settlements.map((one) => settles.settle(session, one, now));
    return this.#write((session, now) => unit(session, now, oneByOne), patience);
  }

  #write<T>(unit: (session: Session, now: number) => T, patience: Patience): Promise<T> {
    return this.parts.file.write((session) => unit(session, this.context.clock.now()), patience);
  }

  #ring(): void {
    if (!this.parts.file.closed) this.#openBell().ring();
  }

  #openBell(): FileBell {
    if (this.#bell === undefined) {
      this.#bell = bellOf(this.parts.file.source);
      this.#bell.hold();
    }
    return this.#bell;
  }
}

function failed(error: unknown): SettleResult {
  return { ok: false, reason: 'error', error };
}

/** Leaves something behind that a waiting worker may take. */
function makesWork(settlement: Settlement): boolean {
  return settlement.kind === 'release' || (settlement.effects?.push?.length ?? 0) > 0;
}
