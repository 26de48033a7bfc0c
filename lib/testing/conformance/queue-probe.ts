import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Backend } from '../../contracts/backend.js';
import type {
  EffectKind,
  Effects,
  PushEntry,
  PushResult,
  QueueDriver,
  QueueSize,
  ReservedJob,
  ReserveRequest,
  Settlement,
  SettleResult,
} from '../../contracts/queue-driver.js';
import { neverAborted } from '../../support/abort.js';
import { chunks } from '../../support/chunks.js';
import { all, reopened, type ConformanceCase, type Harness, type Requirement } from './conformance-case.js';

/** A queue driver in the hands of a case: short words for what every case does, within the driver's batch limits. */
export class QueueProbe {
  readonly driver: QueueDriver;

  constructor(
    readonly backend: Backend,
    readonly harness: Harness,
  ) {
    this.driver = present(backend.queue, 'queue driver');
  }

  /** Pushes and expects every entry to be stored. */
  async push(...entries: readonly PushEntry[]): Promise<void> {
    for (const [index, answer] of (await this.tryPush(...entries)).entries()) {
      assert.deepEqual(answer, { stored: true }, `entry ${index} was not stored`);
    }
  }

  async tryPush(...entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    const answers: PushResult[] = [];
    for (const group of chunks(entries, this.driver.limits.pushBatch)) answers.push(...(await this.driver.push(group)));
    assert.equal(answers.length, entries.length, 'push answers every entry');
    return answers;
  }

  /** What is due now, without waiting. */
  async take(request: Partial<ReserveRequest> = {}): Promise<readonly ReservedJob[]> {
    const limit = request.limit ?? 100;
    const taken: ReservedJob[] = [];
    while (taken.length < limit) {
      const ask = Math.min(limit - taken.length, this.driver.limits.reserveBatch);
      const jobs = await this.driver.reserve({ ...this.request(request), limit: ask });
      taken.push(...jobs);
      if (jobs.length < ask) break;
    }
    return taken;
  }

  /** One job that must be due now. */
  async takeOne(request: Partial<ReserveRequest> = {}): Promise<ReservedJob> {
    const jobs = await this.take({ ...request, limit: 1 });
    assert.equal(jobs.length, 1, 'a job is due');
    return jobs[0]!;
  }

  /** A job whose lease has run out; its worker has not noticed. */
  async takeAndStall(request: Partial<ReserveRequest> = {}): Promise<ReservedJob> {
    const job = await this.takeOne({ leaseMs: 1_000, ...request });
    await this.harness.advance(1_250);
    return job;
  }

  request(over: Partial<ReserveRequest> = {}): ReserveRequest {
    return { queues: ['default'], limit: 100, leaseMs: 60_000, waitMs: 0, signal: neverAborted, ...over };
  }

  async settle(...settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const answers: SettleResult[] = [];
    for (const group of chunks(settlements, this.driver.limits.settleBatch))
      answers.push(...(await this.driver.settle(group)));
    assert.equal(answers.length, settlements.length, 'settle answers every settlement');
    return answers;
  }

  async ack(job: ReservedJob, effects?: Effects): Promise<SettleResult> {
    return (await this.settle({ kind: 'ack', job, effects }))[0]!;
  }

  async release(
    job: ReservedJob,
    over: { delayMs?: number; countAttempt?: boolean; memo?: string; effects?: Effects } = {},
  ): Promise<SettleResult> {
    return (await this.settle({ kind: 'release', job, delayMs: 0, ...over }))[0]!;
  }

  async renew(job: ReservedJob, leaseMs = 60_000): Promise<SettleResult> {
    const answers = await present(this.driver.leases, 'leases').renew([job], leaseMs);
    assert.equal(answers.length, 1, 'renew answers every job');
    return answers[0]!;
  }

  async size(queue = 'default'): Promise<QueueSize> {
    return (await this.driver.size([queue]))[0]!;
  }

  /** Another handle on the same store. */
  async another(): Promise<QueueProbe> {
    return new QueueProbe(await reopened(this.harness), this.harness);
  }
}

/** A push entry with nothing special about it. */
export function entry(over: Partial<PushEntry> = {}): PushEntry {
  return { id: randomUUID(), queue: 'default', body: '{}', delayMs: 0, ...over };
}

export function entries(count: number, over: Partial<PushEntry> = {}): PushEntry[] {
  return Array.from({ length: count }, () => entry(over));
}

export function idsOf(jobs: readonly { readonly id: string }[]): string[] {
  // A list of this realm: one that a driver made of what Node gave it is of another under Jest, and would equal none.
  return Array.from(jobs, (job) => job.id);
}

/** Every one of the ids exactly once, in any order. */
export function sameIds(found: readonly { readonly id: string }[], wanted: readonly { readonly id: string }[]): void {
  assert.deepEqual(idsOf(found).sort(), idsOf(wanted).sort());
}

export function accepted(result: SettleResult): void {
  assert.equal(result.ok, true, `the settlement is accepted: ${JSON.stringify(result)}`);
}

export function refused(result: SettleResult, ...reasons: readonly string[]): void {
  assert.equal(result.ok, false, 'a stale or cancelled reservation is refused');
  if (!result.ok)
    assert.ok(reasons.includes(result.reason), `refused as ${result.reason}, not ${reasons.join(' or ')}`);
}

/** A part that the requirements of the case have made sure of. */
export function present<T>(part: T | undefined, name: string): T {
  assert.ok(part !== undefined, `the backend has no ${name}`);
  return part;
}

export const leases = ability('leases');
export const exchange = ability('exchange');
export const clearing = ability('clearing');
export const inspection = ability('inspection');
export const lockStore = store('locks', 'lock store');
export const batchStore = store('batches', 'batch store');
export const failedStore = store('failed', 'failed-job store');

/** Effects of this kind are applied in the same write as the settlement. */
export function atomically(kind: EffectKind): Requirement {
  return (backend) =>
    backend.atomic?.has(kind) ? undefined : `effects of kind '${kind}' are not applied in the settlement's own write`;
}

/** A case on the queue driver. */
export function queueCase(
  name: string,
  run: (queue: QueueProbe, backend: Backend, harness: Harness) => Promise<void>,
  ...requirements: readonly Requirement[]
): ConformanceCase {
  return {
    name,
    needs: all([store('queue', 'queue driver'), ...requirements]),
    run: (backend, harness) => run(new QueueProbe(backend, harness), backend, harness),
  };
}

function ability(name: 'leases' | 'exchange' | 'clearing' | 'inspection'): Requirement {
  return (backend) => (backend.queue?.[name] ? undefined : `the driver has no ${name}`);
}

function store(name: 'queue' | 'locks' | 'batches' | 'failed', title: string): Requirement {
  return (backend) => (backend[name] ? undefined : `the backend has no ${title}`);
}
