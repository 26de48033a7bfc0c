import type { BatchProgress, BatchStore } from '../../contracts/batch-store.js';
import type { FailedJobStore } from '../../contracts/failed-job-store.js';
import type { LockStore } from '../../contracts/lock-store.js';
import type { Effects, PushEntry, ReservedJob } from '../../contracts/queue-driver.js';
import { readEffects } from './effects-text.js';
import type { Patience, RedisLink } from './link.js';
import type { QueueKeys } from './queue-keys.js';
import { Script } from './script.js';
import { clockPart } from './scripts/clock-part.js';
import { isOfConsequence } from './told-members.js';

/** A follow-up is pushed once within this, however often its record is applied. */
const ONCE_MS = 86_400_000;
/** Records that are older were left behind by a crash, or by a server that was away. */
const LEFT_MS = 30_000;
const SWEEP_EVERY_MS = 30_000;
const RECORDS = 100;
/** So many settlements have their effects applied at a time; so many more wait for it; what is beyond is left to a sweep. */
const AT_ONCE = 1_000;
const WAITING = 10_000;
/** While some effects take longer than anyone waited for them, others are waited for this long: what can be applied needs less. */
const LATE_MS = 20;
/** What is under way when the connection is closed has so long; then its record is left to a sweep. */
const CLOSE_MS = 1_000;

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
 * KEYS: base of a queue. ARGV: cursor, how many, age in ms. Answers the next cursor, then token and text of each record that is older by
 * the clock which wrote its moment.
 */
const leftScript = new Script(
  'effects-left',
  'frees',
  clockPart,
  `
local before = now_ms() - ARGV[3]
local page = redis.call('HSCAN', KEYS[1] .. ':effects', ARGV[1], 'COUNT', ARGV[2])
local answer, records = { page[1] }, page[2]
for at = 1, #records, 2 do
  local colon = string.find(records[at + 1], ':', 1, true)
  local moment = colon and tonumber(string.sub(records[at + 1], 1, colon - 1))
  if moment and moment < before then
    answer[#answer + 1] = records[at]
    answer[#answer + 1] = string.sub(records[at + 1], colon + 1)
  end
end
return answer
`,
);

/**
 * Effects whose keys are in another slot than the job they follow. The settling script keeps them as a record; then they are applied,
 * and the record is removed. What was left half-way is applied again by any worker of the queue: each of them changes nothing when it is
 * repeated.
 */
export class Outbox {
  readonly #sweptAt = new Map<string, number>();
  readonly #sweeping = new Set<string>();
  readonly #open = new Set<Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  /** How many calls of `apply` have effects that were not waited for to their end. */
  #late = 0;
  #closed = false;

  constructor(
    private readonly link: RedisLink,
    private readonly keys: QueueKeys,
    private readonly stores: EffectStores,
  ) {}

  /**
   * Applies what follows settled jobs, side by side. Never rejects: what cannot be done now is done by a sweep.
   *
   * @param ms waited for at the most; what takes longer goes on by itself
   * @returns by the place of each, what became of the batch of a member that was counted in that time, where something did
   */
  async apply(
    settled: readonly { readonly job: ReservedJob; readonly effects: Effects }[],
    ms: number,
  ): Promise<ReadonlyMap<number, BatchProgress>> {
    const told = new Map<number, BatchProgress>();
    const all = settled.map(({ job, effects }, place) =>
      this.#soon(async () => {
        await this.#apply(this.keys.base(job.queue), job.token, effects, (progress) => told.set(place, progress));
      }),
    );
    const over = Promise.all(all);
    if (!(await within(over, this.#late > 0 ? Math.min(ms, LATE_MS) : ms))) {
      this.#late += 1;
      void over.then(() => (this.#late -= 1));
    }
    return new Map(told);
  }

  /** Looks for what was left, now and then, beside everything else. */
  sweep(queues: readonly string[]): void {
    if (!this.link.isCluster) return;
    const now = performance.now();
    for (const queue of queues) {
      if (now - (this.#sweptAt.get(queue) ?? -Infinity) < SWEEP_EVERY_MS || this.#sweeping.has(queue)) continue;
      this.#sweptAt.set(queue, now);
      this.#sweeping.add(queue);
      this.#sweep(this.keys.base(queue))
        // The next sweep comes.
        .catch(() => {})
        .finally(() => this.#sweeping.delete(queue));
    }
  }

  /** Begins nothing more, and waits a little for what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const next of this.#waiting.splice(0)) next();
    await within(Promise.all(this.#open), CLOSE_MS);
  }

  async #sweep(base: string): Promise<void> {
    for (let cursor = '0'; ;) {
      const args = [cursor, RECORDS, LEFT_MS];
      const [next, ...left] = (await this.link.run(leftScript, [base], args, PATIENCE)) as readonly string[];
      const some: Promise<void>[] = [];
      for (let at = 0; at < left.length; at += 2) {
        // One that cannot be read, or applied, is no reason to leave the others.
        some.push(this.#soon(async () => this.#apply(base, left[at]!, readEffects(left[at + 1]!))));
      }
      await Promise.all(some);
      if (this.#closed || next === undefined || next === '0') return;
      cursor = next;
    }
  }

  /** Never rejects: the record is still there. */
  #soon(work: () => Promise<void>): Promise<void> {
    if (this.#closed || this.#waiting.length >= WAITING) return Promise.resolve();
    const done = this.#inTurn(work)
      .catch(() => {})
      .finally(() => {
        this.#open.delete(done);
        this.#waiting.shift()?.();
      });
    this.#open.add(done);
    return done;
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#open.size >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (!this.#closed) await work();
  }

  async #apply(
    base: string,
    token: string,
    effects: Effects,
    tell: (progress: BatchProgress) => void = () => {},
  ): Promise<void> {
    const { push, locks, batches, failed } = this.stores;
    const { member, unlock = [], push: entries = [], failure } = effects;
    const progress = member && (await batches.recordEnd(member.batchId, member));
    if (progress && isOfConsequence(progress)) tell(progress);
    for (const { key, owner } of unlock) await locks.release(key, owner);
    if (entries.length > 0) {
      const results = await push(entries.map((entry) => ({ ...entry, once: entry.once ?? { ttlMs: ONCE_MS } })));
      if (results.some((result) => !result.stored && result.reason === 'error')) return;
    }
    if (failure) await failed.record([failure]);
    await this.link.send('HDEL', [`${base}:effects`, token], PATIENCE);
  }
}

/** Whether `work`, which does not reject, is done within the time. */
export function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms).unref();
    void work.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
