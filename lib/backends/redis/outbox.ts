import type { BatchStore } from '../../contracts/batch-store.js';
import type { FailedJobStore } from '../../contracts/failed-job-store.js';
import type { LockStore } from '../../contracts/lock-store.js';
import type { Effects, PushEntry, ReservedJob } from '../../contracts/queue-driver.js';
import { readEffects } from './effects-text.js';
import type { Patience, RedisLink } from './link.js';
import type { QueueKeys } from './queue-keys.js';

/** A follow-up is pushed once within this, however often its record is applied. */
const ONCE_MS = 86_400_000;
/** Records that are older were left behind by a crash, or by a server that was away. */
const LEFT_MS = 30_000;
const SWEEP_EVERY_MS = 30_000;
const RECORDS = 100;

const PATIENCE: Patience = { ms: 5_000, lost: 'repeat' };

/** What applies effects, each idempotently. */
export interface EffectStores {
  readonly push: (
    entries: readonly PushEntry[],
  ) => Promise<readonly { readonly stored: boolean; readonly reason?: string }[]>;
  readonly locks: Pick<LockStore, 'release'>;
  readonly batches: Pick<BatchStore, 'recordEnd'>;
  readonly failed: Pick<FailedJobStore, 'record'>;
}

/**
 * Effects whose keys are in another slot than the job they follow. The settling script keeps them as a record; then they are applied,
 * and the record is removed. What was left half-way is applied again by any worker of the queue: each of them changes nothing when it is
 * repeated.
 */
export class Outbox {
  readonly #sweptAt = new Map<string, number>();

  constructor(
    private readonly link: RedisLink,
    private readonly keys: QueueKeys,
    private readonly stores: EffectStores,
  ) {}

  /** Never rejects: what cannot be done now is done by a sweep. */
  async apply(job: ReservedJob, effects: Effects): Promise<void> {
    try {
      await this.#apply(this.keys.base(job.queue), job.token, effects);
    } catch {
      // The record is still there.
    }
  }

  /** Looks for what was left, now and then, beside everything else. */
  sweep(queues: readonly string[]): void {
    if (!this.link.isCluster) return;
    const now = performance.now();
    for (const queue of queues) {
      if (now - (this.#sweptAt.get(queue) ?? -Infinity) < SWEEP_EVERY_MS) continue;
      this.#sweptAt.set(queue, now);
      this.#sweep(this.keys.base(queue)).catch(() => {});
    }
  }

  async #sweep(base: string): Promise<void> {
    const before = Date.now() - LEFT_MS;
    for (let cursor = '0'; ;) {
      const reply = await this.link.send('HSCAN', [`${base}:effects`, cursor, 'COUNT', RECORDS], PATIENCE);
      const [next, records] = reply as readonly [string, readonly string[]];
      for (let at = 0; at < records.length; at += 2) {
        const record = records[at + 1]!;
        const colon = record.indexOf(':');
        if (Number(record.slice(0, colon)) < before) {
          await this.#apply(base, records[at]!, readEffects(record.slice(colon + 1)));
        }
      }
      if (next === '0') return;
      cursor = next;
    }
  }

  async #apply(base: string, token: string, effects: Effects): Promise<void> {
    const { push, locks, batches, failed } = this.stores;
    const { member, unlock = [], push: entries = [], failure } = effects;
    if (member) await batches.recordEnd(member.batchId, member);
    for (const { key, owner } of unlock) await locks.release(key, owner);
    if (entries.length > 0) {
      const results = await push(entries.map((entry) => ({ ...entry, once: entry.once ?? { ttlMs: ONCE_MS } })));
      if (results.some((result) => !result.stored && result.reason === 'error')) return;
    }
    if (failure) await failed.record([failure]);
    await this.link.send('HDEL', [`${base}:effects`, token], PATIENCE);
  }
}
