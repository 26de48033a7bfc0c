import type { BackendContext } from '../../contracts/backend.js';
import { unlimited } from '../../contracts/driver-limits.js';
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
} from '../../contracts/queue-driver.js';
import { StoreUnreachableError } from '../../contracts/store-errors.js';
import { takeOrWait } from '../../support/take-or-wait.js';
import { IdlePoll, sweepEveryMs } from '../idle-poll.js';
import { queuesBehind } from '../queues-behind.js';
import { StoreClosedError } from '../store-state-errors.js';
import type { Claimed, ClaimRequest } from './claim-answer.js';
import type { Patience } from './link.js';
import { within, type Outbox } from './outbox.js';
import type { QueueKeys } from './queue-keys.js';
import type { RedisBells } from './redis-bells.js';
import type { RedisExchange } from './redis-exchange.js';
import type { RedisLeases } from './redis-leases.js';
import type { RedisPush } from './redis-push.js';
import type { RedisSize } from './redis-size.js';
import type { Exchanged, SlotTrips } from './slot-trips.js';

/** A verb that is not a dispatch may take so long, with all its repeats. */
const PATIENCE_MS = 5_000;

/** An idle worker asks this seldom: without a way to hear of pushes, and with one. */
const LONGEST_POLL = { deaf: 1_000, hearing: 5_000 };

/** What a lost claim took is waited for so long before the next claim goes; what comes later is given back. */
const RECOVER_MS = 250;

/** Of queues that cannot be asked while others are served, it is told this often. */
const TELL_AWAY_EVERY_MS = 60_000;

/** Jobs of one claim. */
const MOST = 10_000;

export interface RedisQueueParts {
  readonly keys: QueueKeys;
  readonly push: RedisPush;
  readonly exchange: RedisExchange;
  readonly trips: SlotTrips;
  readonly outbox: Outbox;
  readonly leases: RedisLeases;
  readonly sizes: RedisSize;
  readonly bells: Pick<RedisBells, 'hearing' | 'rings' | 'wait' | 'stored' | 'foundEmpty' | 'stillEmpty'>;
  readonly clearing: ClearAbility;
  readonly inspection: InspectAbility;
  readonly isClosed: () => boolean;
}

/** The queue driver on Redis. */
export class RedisQueue implements QueueDriver {
  readonly limits = unlimited;
  readonly clearing: ClearAbility;
  readonly inspection: InspectAbility;
  readonly leases: LeaseAbility;
  readonly #poll: IdlePoll;
  #toldAwayAt = -Infinity;

  constructor(
    private readonly parts: RedisQueueParts,
    private readonly context: Pick<BackendContext, 'clock' | 'warn'>,
  ) {
    this.clearing = parts.clearing;
    this.inspection = parts.inspection;
    this.leases = parts.leases;
    this.#poll = new IdlePoll(context.clock, LONGEST_POLL);
  }

  async push(entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    const results = await this.parts.push.push(entries);
    this.#ring(entries);
    return results;
  }

  async reserve(request: ReserveRequest): Promise<readonly ReservedJob[]> {
    if (request.signal.aborted || request.limit < 1 || request.queues.length === 0) return [];
    const wasClosed = this.parts.isClosed();
    try {
      if (request.waitMs <= 0) return (await this.#claim(request)).jobs;
      return await this.#wait(request);
    } catch (error) {
      // An ended wait has its answer, ended by `close()` or by its signal. A server that is away has none: it is not an empty queue.
      if (error instanceof StoreClosedError && !wasClosed) return [];
      const ended = request.signal.aborted || (this.parts.isClosed() && !wasClosed);
      if (error instanceof StoreUnreachableError && ended) return [];
      throw error;
    }
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    if (settlements.length === 0) return [];
    await this.#announce(settlements);
    const settled = await this.parts.trips.settle(settlements);
    this.#ringFor(settlements);
    return settled;
  }

  readonly exchange: ExchangeAbility = async (settlements, request) => {
    const takes = !request.signal.aborted && request.limit >= 1 && request.queues.length > 0;
    if (!takes || settlements.length === 0 || this.parts.exchange.hasLost) {
      const settled = await this.settle(settlements);
      return { settled, jobs: takes ? await this.#taken(settled, request) : [] };
    }
    await this.#announce(settlements);
    const { bells, outbox, trips } = this.parts;
    outbox.sweep(request.queues);
    const { rings } = bells;
    const { settled, claimed, away } = await trips.exchange(settlements, claimOf(request), patienceFor(request));
    this.#found(request, claimed, rings, away);
    this.#ringFor(settlements);
    return { settled, jobs: claimed.jobs };
  };

  size(queues: readonly string[]): Promise<readonly QueueSize[]> {
    return this.parts.sizes.size(queues);
  }

  /** What was settled has its answer, whatever becomes of the claim behind it. */
  async #taken(settled: readonly SettleResult[], request: ReserveRequest): Promise<readonly ReservedJob[]> {
    try {
      return await this.reserve({ ...request, waitMs: 0 });
    } catch (error) {
      if (settled.length === 0) throw error;
      return [];
    }
  }

  async #wait(request: ReserveRequest): Promise<readonly ReservedJob[]> {
    const { bells } = this.parts;
    const wait = bells.wait(request.queues);
    const sweepMs = sweepEveryMs(request.leaseMs);
    // Queues that were found empty just now, by the call before this one, are not asked again before the wait.
    let known = bells.stillEmpty(request.queues);
    let nextAt = Infinity;
    try {
      return await takeOrWait({
        take: async () => {
          if (known !== undefined && !wait.listen()) {
            nextAt = known;
            known = undefined;
            return [];
          }
          let claimed = await this.#claim(request);
          if (claimed.jobs.length === 0 && wait.listen()) claimed = await this.#claim(request);
          nextAt = claimed.nextInMs === undefined ? Infinity : performance.now() + claimed.nextInMs;
          return claimed.jobs;
        },
        bell: wait.bell,
        pollMs: () => Math.min(this.#poll.ms(bells.hearing), sweepMs, Math.ceil(nextAt - performance.now())),
        waitMs: request.waitMs,
        signal: request.signal,
        clock: this.context.clock,
      });
    } finally {
      wait.off();
    }
  }

  async #claim(request: ReserveRequest): Promise<Pick<Claimed, 'jobs' | 'nextInMs'>> {
    const { exchange, trips, leases, outbox, bells } = this.parts;
    // Opened before there is a lease to renew: later the server may be full.
    leases.warm();
    outbox.sweep(request.queues);
    const patience = patienceFor(request);
    if (exchange.hasLost) {
      const jobs = await this.#recovered(request.limit);
      if (jobs.length > 0) return { jobs };
    }
    const { rings } = bells;
    const { claimed, away } = await trips.exchange([], claimOf(request), patience);
    this.#found(request, claimed, rings, away);
    return claimed;
  }

  /** What lost claims took. A slot that does not tell holds up no other: what it tells later goes back to its queue. */
  async #recovered(limit: number): Promise<ReservedJob[]> {
    const recovery = this.parts.exchange.recover({ ms: PATIENCE_MS, lost: 'repeat' });
    if (await within(recovery, RECOVER_MS)) return this.#atMost(limit, await recovery);
    void recovery.then((late) => this.#atMost(0, late));
    return [];
  }

  #found(
    { queues }: ReserveRequest,
    { jobs, broken, nextInMs }: Claimed,
    rings: number,
    away: Exchanged['away'],
  ): void {
    if (away) this.#tellAway(away);
    if (jobs.length > 0) this.#poll.found();
    else {
      const nextAt = nextInMs === undefined ? Infinity : performance.now() + nextInMs;
      this.parts.bells.foundEmpty(queues, nextAt, rings);
    }
    if (broken.length > 0) this.#warn(broken);
  }

  #tellAway({ queues, error }: NonNullable<Exchanged['away']>): void {
    const now = performance.now();
    if (now - this.#toldAwayAt < TELL_AWAY_EVERY_MS) return;
    this.#toldAwayAt = now;
    this.context.warn(
      `Jobs of the queues [${queues.join(', ')}] wait, since their part of the cluster does not answer; the other queues are served. ` +
        `It said: ${error instanceof Error ? error.message : String(error)}`,
    );
  }

  #warn(broken: Claimed['broken']): void {
    const [{ queue, id }] = broken as [Claimed['broken'][number]];
    this.context.warn(
      `The server has thrown away the body of job ${id} in the queue [${queue}], which cannot run any more. Such ids are kept in the list ` +
        `${this.parts.keys.base(queue)}:broken. Set maxmemory-policy to noeviction, and let nothing else write to these keys.`,
    );
  }

  /** The worker may have room for fewer by now. */
  async #atMost(limit: number, jobs: readonly ReservedJob[]): Promise<ReservedJob[]> {
    const back = jobs.slice(limit);
    if (back.length > 0) {
      await this.settle(back.map((job) => ({ kind: 'release', job, delayMs: 0, countAttempt: false })));
    }
    return jobs.slice(0, limit);
  }

  /** A queue that gets its first job from a settlement must be known as well. */
  async #announce(settlements: readonly Settlement[]): Promise<void> {
    const queues = new Set<string>();
    for (const { effects } of settlements) for (const { queue } of effects?.push ?? []) queues.add(queue);
    if (queues.size === 0) return;
    // It is not worth a settlement: the name is written again with the next one.
    await this.parts.push.announce(queues, { ms: PATIENCE_MS, lost: 'repeat' }).catch(() => {});
  }

  #ring(entries: readonly PushEntry[]): void {
    let last: string | undefined;
    for (const { queue } of entries) {
      if (queue === last) continue;
      last = queue;
      this.parts.bells.stored([queue]);
    }
  }

  /** What a settlement leaves behind that a waiting worker may take. */
  #ringFor(settlements: readonly Settlement[]): void {
    const queues = queuesBehind(settlements);
    if (queues.size > 0) this.parts.bells.stored(queues);
  }
}

function claimOf({ queues, limit, leaseMs }: ReserveRequest): ClaimRequest {
  return { queues, limit: Math.min(limit, MOST), leaseMs: Math.ceil(leaseMs) };
}

function patienceFor({ waitMs, signal }: ReserveRequest): Patience {
  return { ms: Math.max(PATIENCE_MS, waitMs), signal, lost: 'tell' };
}
