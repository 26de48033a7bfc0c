import { unlimited, type DriverLimits } from '../contracts/driver-limits.js';
import type {
  ExchangeAbility,
  PushEntry,
  PushResult,
  QueueDriver,
  ReservedJob,
  ReserveRequest,
  SettleResult,
  Settlement,
} from '../contracts/queue-driver.js';
import { chunks } from '../support/chunks.js';
import { InvalidOptionError, QueueError } from '../support/queue-error.js';

/** A job's body is larger than its store, or the module's `maxPayload`, allows. Sizes are bytes. */
export class PayloadTooLargeError extends QueueError {
  readonly size: number;
  readonly limit: number;

  constructor(connection: string, { size, limit }: { size: number; limit: number }) {
    super(
      'ERR_QUEUE_PAYLOAD_TOO_LARGE',
      `A job for the [${connection}] connection is ${size} bytes large; at most ${limit} are allowed. Carry an id instead of the data, or raise maxPayload.`,
    );
    this.size = size;
    this.limit = limit;
  }
}

/** A driver whose shortfalls are made up: any number of entries, any wait, and always an exchange. */
export interface FittedDriver extends QueueDriver {
  readonly exchange: ExchangeAbility;
}

/**
 * Makes up what a driver cannot do. Where there is nothing to make up its own functions are handed on.
 *
 * @param name the connection, for messages
 * @param maxBodyBytes the largest body the module takes; the driver's own limit holds where it is smaller
 */
export function fitDriver(driver: QueueDriver, name: string, maxBodyBytes = Infinity): FittedDriver {
  const limits: DriverLimits = { ...unlimited, ...driver.limits };
  const bodyBytes = Math.min(limits.bodyBytes, maxBodyBytes);
  const fitPush = (push: Push): Push => refuse(inChunks(push, limits.pushBatch), name, limits.delayMs, bodyBytes);
  const settle = fitSettle(driver, limits);
  const reserve = fitReserve(driver, limits);
  const { transactions } = driver;
  return {
    limits: { ...limits, bodyBytes },
    push: fitPush(driver.push.bind(driver)),
    reserve,
    settle,
    exchange: fitExchange(driver, limits, settle, reserve),
    size: driver.size.bind(driver),
    ...(driver.counting && { counting: driver.counting }),
    ...(driver.storeless && { storeless: driver.storeless }),
    ...(driver.leases && { leases: driver.leases }),
    ...(driver.clearing && { clearing: driver.clearing }),
    ...(driver.inspection && { inspection: driver.inspection }),
    ...(transactions && {
      transactions: {
        within: (manager: unknown) => {
          const inner = transactions.within(manager);
          return { push: fitPush(inner.push.bind(inner)) };
        },
        ...(transactions.joins && { joins: transactions.joins.bind(transactions) }),
      },
    }),
  };
}

type Push = QueueDriver['push'];

/** Groups go one after the other, since their order is the order of the jobs. Behind a group that fails nothing more is sent. */
function inChunks(push: Push, size: number): Push {
  if (size === Infinity) return push;
  return async (entries) => {
    if (entries.length <= size) return push(entries);
    const results: PushResult[] = [];
    for (const group of chunks(entries, size)) {
      try {
        results.push(...(await push(group)));
      } catch (error) {
        while (results.length < entries.length) results.push({ stored: false, reason: 'error', error });
        break;
      }
    }
    return results;
  };
}

/** Why an entry cannot be taken, whatever state the store is in. */
export function misfit(entry: PushEntry, name: string, delayMs: number, bodyBytes: number): QueueError | undefined {
  // One UTF-16 unit is at most three bytes of UTF-8: small bodies need no count.
  if (entry.body.length * 3 > bodyBytes) {
    const size = Buffer.byteLength(entry.body);
    if (size > bodyBytes) return new PayloadTooLargeError(name, { size, limit: bodyBytes });
  }
  if (entry.delayMs <= delayMs) return undefined;
  return new InvalidOptionError(
    `A job for the [${name}] connection has a delay of ${entry.delayMs / 1_000} s; its driver allows at most ${delayMs / 1_000} s. Use a shorter delay or another connection.`,
  );
}

function refuse(push: Push, name: string, delayMs: number, bodyBytes: number): Push {
  if (delayMs === Infinity && bodyBytes === Infinity) return push;
  return async (entries) => {
    let refused: Map<number, QueueError> | undefined;
    for (let index = 0; index < entries.length; index++) {
      const error = misfit(entries[index]!, name, delayMs, bodyBytes);
      if (error) (refused ??= new Map()).set(index, error);
    }
    if (!refused) return push(entries);
    const sent = entries.filter((_, index) => !refused.has(index));
    const answers = sent.length > 0 ? await push(sent) : [];
    let next = 0;
    return entries.map((_, index): PushResult => {
      const error = refused.get(index);
      return error ? { stored: false, reason: 'error', error } : answers[next++]!;
    });
  };
}

function fitSettle(driver: QueueDriver, limits: DriverLimits): QueueDriver['settle'] {
  const settle = driver.settle.bind(driver);
  const { settleBatch, delayMs } = limits;
  if (settleBatch === Infinity && delayMs === Infinity) return settle;
  return async (settlements) => {
    const results: SettleResult[] = [];
    for (const group of chunks(capDelays(settlements, delayMs), settleBatch)) {
      try {
        results.push(...(await settle(group)));
      } catch (error) {
        // What was accepted so far must reach its owner; only where nothing was is the call as a whole a failure.
        if (results.length === 0) throw error;
        while (results.length < settlements.length) results.push({ ok: false, reason: 'error', error });
      }
      if (results.length >= settlements.length) break;
    }
    return results;
  };
}

/** A release that comes back early does less harm than one that is refused: that job would wait for its lease to run out. */
function capDelays(settlements: readonly Settlement[], delayMs: number): readonly Settlement[] {
  if (delayMs === Infinity) return settlements;
  return settlements.map((one) => (one.kind === 'release' && one.delayMs > delayMs ? { ...one, delayMs } : one));
}

function fitReserve(driver: QueueDriver, limits: DriverLimits): QueueDriver['reserve'] {
  const reserve = driver.reserve.bind(driver);
  const { reserveBatch, waitMs, leaseMs } = limits;
  if (reserveBatch === Infinity && waitMs === Infinity && leaseMs === Infinity) return reserve;
  return async (request) => {
    const jobs: ReservedJob[] = [];
    const fitted = capRequest(request, limits);
    for (;;) {
      const limit = Math.min(request.limit - jobs.length, reserveBatch);
      try {
        // Only the first look waits: a job in hand is worth more than another to come.
        const taken = await reserve({ ...fitted, limit, waitMs: jobs.length === 0 ? fitted.waitMs : 0 });
        jobs.push(...taken);
        if (taken.length < limit) return jobs;
      } catch (error) {
        if (jobs.length === 0) throw error;
        return jobs;
      }
      if (jobs.length >= request.limit || request.signal.aborted) return jobs;
    }
  };
}

function capRequest(request: ReserveRequest, limits: DriverLimits): ReserveRequest {
  return {
    ...request,
    limit: Math.min(request.limit, limits.reserveBatch),
    waitMs: Math.min(request.waitMs, limits.waitMs),
    leaseMs: Math.min(request.leaseMs, limits.leaseMs),
  };
}

function fitExchange(
  driver: QueueDriver,
  limits: DriverLimits,
  settle: QueueDriver['settle'],
  reserve: QueueDriver['reserve'],
): ExchangeAbility {
  if (!driver.exchange) {
    return async (settlements, request) => {
      const settled = settlements.length > 0 ? await settle(settlements) : [];
      try {
        return { settled, jobs: await reserve({ ...request, waitMs: 0 }) };
      } catch (error) {
        if (settlements.length === 0) throw error;
        // What was settled has to be known. If the store is down, the next look will say so.
        return { settled, jobs: [] };
      }
    };
  }
  const exchange = driver.exchange.bind(driver);
  const { settleBatch, reserveBatch, delayMs, leaseMs } = limits;
  if (settleBatch === Infinity && reserveBatch === Infinity && delayMs === Infinity && leaseMs === Infinity)
    return exchange;
  return async (settlements, request) => {
    // What does not fit is settled before; the call itself takes at most one batch, the next one takes more.
    const whole =
      settlements.length > settleBatch ? (Math.ceil(settlements.length / settleBatch) - 1) * settleBatch : 0;
    const first = whole > 0 ? await settle(settlements.slice(0, whole)) : [];
    try {
      const last = await exchange(capDelays(settlements.slice(whole), delayMs), capRequest(request, limits));
      return { settled: [...first, ...last.settled], jobs: last.jobs };
    } catch (error) {
      if (first.length === 0) throw error;
      const failed = settlements.slice(whole).map((): SettleResult => ({ ok: false, reason: 'error', error }));
      return { settled: [...first, ...failed], jobs: [] };
    }
  };
}
