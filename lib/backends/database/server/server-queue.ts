import type { BackendContext } from '../../../contracts/backend.js';
import { unlimited } from '../../../contracts/driver-limits.js';
import type {
  ClearAbility,
  ExchangeAbility,
  InspectAbility,
  LeaseAbility,
  PushEntry,
  PushResult,
  QueueDriver,
  QueueSize,
  ReservedJob,
  ReserveRequest,
  Settlement,
  SettleResult,
  TransactAbility,
} from '../../../contracts/queue-driver.js';
import { StoreUnreachableError } from '../../../contracts/store-errors.js';
import { takeOrWait } from '../../../support/take-or-wait.js';
import { IdlePoll, sweepEveryMs } from '../../idle-poll.js';
import { nonce } from '../../nonce.js';
import { queuesBehind } from '../../queues-behind.js';
import { StoreClosedError } from '../../store-state-errors.js';
import type { ClaimRequest, QueueStatements } from './dialect.js';
import type { Lane } from './lane.js';
import type { OwnLink } from './link.js';
import type { QueueBells } from './queue-bells.js';
import type { ServerPush } from './server-push.js';
import type { ServerSettle } from './server-settle.js';
import type { StoreAccess } from './store-access.js';

/** A verb that is not a dispatch may take so long, with all its repeats. */
const PATIENCE_MS = 5_000;

/** An idle worker asks this seldom: without a way to hear of pushes, and with one. Pauses and restarts are asked for beside it. */
const LONGEST_POLL = { deaf: 1_500, hearing: 5_000 };

/** What has expired in the side tables is removed this often at most. */
const TIDY_EVERY_MS = 60_000;

interface Parts {
  readonly access: StoreAccess;
  readonly lanes: { readonly work: Lane; readonly leases: Lane };
  readonly statements: QueueStatements;
  readonly push: ServerPush;
  readonly settle: ServerSettle;
  readonly bells: QueueBells;
  readonly clearing: ClearAbility;
  readonly inspection: InspectAbility;
  readonly transactions: TransactAbility;
}

/** The queue driver on a database server. */
export class ServerQueue implements QueueDriver {
  readonly limits = unlimited;
  readonly clearing: ClearAbility;
  readonly inspection: InspectAbility;
  readonly transactions: TransactAbility;
  readonly leases: LeaseAbility = { renew: (jobs, leaseMs) => this.#renew(jobs, leaseMs) };
  readonly #poll: IdlePoll;
  /** Claims whose answer was lost: what they took is asked for with the next claim. */
  #lost: ClaimRequest[] = [];
  #tidyAt = performance.now() + Math.random() * TIDY_EVERY_MS;

  constructor(
    private readonly parts: Parts,
    private readonly context: BackendContext,
    private readonly closeAll: () => Promise<void>,
  ) {
    this.clearing = parts.clearing;
    this.inspection = parts.inspection;
    this.transactions = parts.transactions;
    this.#poll = new IdlePoll(context.clock, LONGEST_POLL);
  }

  push(entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    return this.parts.push.push(entries);
  }

  async reserve(request: ReserveRequest): Promise<readonly ReservedJob[]> {
    const { bells } = this.parts;
    if (request.signal.aborted || request.limit < 1 || request.queues.length === 0) return [];
    const sweepMs = sweepEveryMs(request.leaseMs);
    const wait = bells.wait(request.queues);
    const { closed } = this.parts.access;
    let nextAt = Infinity;
    // Queues that were found empty just now, by the call before this one, are not asked again before the wait.
    let known = request.waitMs > 0 ? bells.stillEmpty(request.queues) : undefined;
    try {
      const jobs = await takeOrWait({
        take: async () => {
          if (known !== undefined && !wait.listen()) {
            nextAt = known;
            known = undefined;
            return [];
          }
          let { rings } = bells;
          let claimed = await this.#claim(request);
          if (claimed.jobs.length === 0 && request.waitMs > 0 && wait.listen()) {
            ({ rings } = bells);
            claimed = await this.#claim(request);
          }
          nextAt = claimed.nextInMs === undefined ? Infinity : performance.now() + claimed.nextInMs;
          if (claimed.jobs.length === 0) bells.foundEmpty(request.queues, nextAt, rings);
          return claimed.jobs;
        },
        bell: wait.bell,
        pollMs: () => Math.min(this.#poll.ms(bells.hearing), sweepMs, Math.ceil(nextAt - performance.now())),
        waitMs: request.waitMs,
        signal: request.signal,
        clock: this.context.clock,
      });
      if (jobs.length > 0) this.#poll.found();
      return jobs;
    } catch (error) {
      // An ended wait has its answer, ended by `close()` or by its signal. A server that is away has none: it is not an empty queue.
      if (error instanceof StoreClosedError && !closed) return [];
      const ended = request.signal.aborted || (this.parts.access.closed && !closed);
      if (error instanceof StoreUnreachableError && ended) return [];
      throw error;
    } finally {
      wait.off();
    }
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    if (settlements.length === 0) return [];
    try {
      const settled = await this.parts.settle.settle(settlements);
      this.#ringFor(settlements);
      return settled;
    } catch (error) {
      return settlements.map(() => failed(error));
    }
  }

  readonly exchange: ExchangeAbility = async (settlements, request) => {
    if (settlements.length === 0) return { settled: [], jobs: await this.reserve({ ...request, waitMs: 0 }) };
    if (request.signal.aborted || request.limit < 1 || request.queues.length === 0 || this.#lost.length > 0) {
      const settled = await this.settle(settlements);
      return { settled, jobs: await this.reserve({ ...request, waitMs: 0 }) };
    }
    const claim = claimOf(request);
    try {
      const { settled, claimed } = await this.parts.settle.exchange(settlements, claim);
      if (claimed.jobs.length > 0) this.#poll.found();
      this.#ringFor(settlements);
      return { settled, jobs: claimed.jobs };
    } catch (error) {
      this.#mayHaveTaken(error, claim);
      return { settled: settlements.map(() => failed(error)), jobs: [] };
    }
  };

  size(queues: readonly string[]): Promise<readonly QueueSize[]> {
    const { access, lanes, statements } = this.parts;
    return access.use(lanes.work, (link) => statements.size(link, queues), { ms: PATIENCE_MS, lost: 'repeat' });
  }

  close(): Promise<void> {
    return this.closeAll();
  }

  async #renew(jobs: readonly ReservedJob[], leaseMs: number): Promise<readonly SettleResult[]> {
    if (jobs.length === 0) return [];
    const { access, lanes, statements } = this.parts;
    // A lease of a millisecond is one that is given back: that is no reason to hurry.
    const patience = { ms: Math.min(PATIENCE_MS, Math.max(200, leaseMs / 6)), lost: 'repeat' } as const;
    try {
      return await access.use(lanes.leases, (link) => statements.renew(link, jobs, leaseMs), patience);
    } catch (error) {
      return jobs.map(() => failed(error));
    }
  }

  async #claim(
    request: ReserveRequest,
  ): Promise<{ readonly jobs: readonly ReservedJob[]; readonly nextInMs?: number }> {
    const { access, lanes, statements } = this.parts;
    // Opened before there is a lease to renew: later the server may be full.
    lanes.leases.warm();
    this.#tidy();
    const patience = { ms: Math.max(PATIENCE_MS, request.waitMs), signal: request.signal, lost: 'tell' } as const;
    if (this.#lost.length > 0) {
      const jobs = await access.use(lanes.work, (link) => this.#recover(link), { ...patience, lost: 'repeat' });
      if (jobs.length > 0) return { jobs: await this.#atMost(request.limit, jobs) };
    }
    const claim = claimOf(request);
    try {
      return await access.use(lanes.work, (link) => statements.claim(link, claim), patience);
    } catch (error) {
      this.#mayHaveTaken(error, claim);
      throw error;
    }
  }

  /** Beside everything else; what cannot be removed now is removed the next time. */
  #tidy(): void {
    if (performance.now() < this.#tidyAt) return;
    this.#tidyAt = performance.now() + TIDY_EVERY_MS;
    const { access, lanes, statements } = this.parts;
    access.use(lanes.work, (link) => statements.tidy(link), { ms: PATIENCE_MS, lost: 'tell' }).catch(() => {});
  }

  #mayHaveTaken(error: unknown, claim: ClaimRequest): void {
    if (error instanceof StoreUnreachableError && error.outcome === 'unknown') this.#lost.push(claim);
  }

  async #recover(link: OwnLink): Promise<readonly ReservedJob[]> {
    // Taken out first: no one else must ask for the same jobs meanwhile, under the same token.
    const claims = this.#lost;
    this.#lost = [];
    try {
      const jobs: ReservedJob[] = [];
      for (const claim of claims) jobs.push(...(await this.parts.statements.recover(link, claim)));
      return jobs;
    } catch (error) {
      this.#lost.push(...claims);
      throw error;
    }
  }

  /** The worker may have room for fewer by now. */
  async #atMost(limit: number, jobs: readonly ReservedJob[]): Promise<readonly ReservedJob[]> {
    const back = jobs.slice(limit);
    if (back.length > 0) {
      await this.settle(back.map((job) => ({ kind: 'release', job, delayMs: 0, countAttempt: false })));
    }
    return jobs.slice(0, limit);
  }

  /** What a settlement leaves behind that a waiting worker may take. */
  #ringFor(settlements: readonly Settlement[]): void {
    const queues = queuesBehind(settlements);
    if (queues.size > 0) this.parts.bells.stored(queues);
  }
}

function claimOf({ queues, limit, leaseMs }: ReserveRequest): ClaimRequest {
  return {
    queues,
    limit: Math.min(limit, 10_000),
    leaseMs: Math.ceil(leaseMs),
    claim: nonce(),
  };
}

function failed(error: unknown): SettleResult {
  return { ok: false, reason: 'error', error };
}
