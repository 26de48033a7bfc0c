import type { LockStore } from '../../contracts/lock-store.js';
import type { PushEntry, PushResult } from '../../contracts/queue-driver.js';
import { DispatchTimeoutError, StoreUnreachableError } from '../../contracts/store-errors.js';
import { deferred, type Deferred } from '../../support/deferred.js';
import { Elsewhere } from './elsewhere.js';
import { FarLock } from './far-lock.js';
import type { Patience, RedisLink } from './link.js';
import { exists, pushCall, pushResults } from './push-call.js';
import { pushGroups, type PushGroup } from './push-groups.js';
import type { QueueKeys } from './queue-keys.js';
import { QueueNames } from './queue-names.js';
import { pushScript } from './scripts/push.js';

interface Call {
  readonly entries: readonly PushEntry[];
  readonly giveUpAt: number;
  readonly answer: Deferred<readonly PushResult[]>;
}

/**
 * Where pushes come in. One trip is under way at a time, and what is asked for meanwhile goes with the next one, in the order in which
 * it came: a hundred dispatches at once share a few scripts, and a single one waits for nobody.
 */
export class RedisPush {
  #calls: Call[] = [];
  #busy = false;
  readonly #elsewhere: Elsewhere;
  readonly #names: QueueNames;
  readonly #farLock: FarLock;

  constructor(
    private readonly parts: {
      readonly link: RedisLink;
      readonly keys: QueueKeys;
      readonly locks: LockStore;
      readonly connection: string;
      readonly dispatchTimeoutMs: number;
    },
  ) {
    const { link, keys, locks } = parts;
    this.#names = new QueueNames(link, keys.keyspace);
    this.#elsewhere = new Elsewhere(link, keys, this.#names);
    this.#farLock = new FarLock(link, keys, locks);
  }

  push(entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    if (entries.length === 0) return Promise.resolve([]);
    const call: Call = {
      entries,
      giveUpAt: performance.now() + this.parts.dispatchTimeoutMs,
      answer: deferred(),
    };
    this.#calls.push(call);
    if (!this.#busy) {
      this.#busy = true;
      // Gathers what is dispatched in the same go; a single call loses nothing by it.
      queueMicrotask(() => void this.#work());
    }
    return call.answer.promise;
  }

  /** Makes the names of queues known into which a settlement will push. */
  async announce(queues: Iterable<string>, patience: Patience): Promise<void> {
    const unwritten = this.#names.unwritten(queues);
    if (unwritten.length > 0) await this.#names.write(unwritten, patience);
  }

  async #work(): Promise<void> {
    while (this.#calls.length > 0) {
      const calls = this.#calls;
      this.#calls = [];
      await this.#store(calls);
    }
    this.#busy = false;
  }

  async #store(calls: readonly Call[]): Promise<void> {
    const entries = calls.length === 1 ? calls[0]!.entries : calls.flatMap((call) => call.entries);
    // All have the same time, so the first came to it first. They may be very many.
    const { giveUpAt } = calls[0]!;
    const results: (PushResult | undefined)[] = entries.map(() => undefined);
    let thrown: unknown;
    try {
      await this.#storeAll(entries, results, giveUpAt);
    } catch (error) {
      thrown = this.#named(error, giveUpAt);
    }
    let at = 0;
    for (const { entries: own, answer } of calls) {
      const answers = calls.length === 1 ? results : results.slice(at, at + own.length);
      at += own.length;
      const first = answers.findIndex((one) => one === undefined);
      if (first < 0) answer.resolve(answers as readonly PushResult[]);
      else if (answers.every((one) => one === undefined)) answer.reject(thrown);
      else answer.resolve(answers.map((one) => one ?? failed(thrown)));
    }
  }

  /** What was not reached, or whose outcome is not known, has no result in the end. */
  async #storeAll(entries: readonly PushEntry[], results: (PushResult | undefined)[], giveUpAt: number): Promise<void> {
    const { keys } = this.parts;
    const groups = pushGroups(entries, keys);
    const good = groups.filter(({ kind }) => kind !== 'fault').flatMap((group) => group.entries);
    if (good.length > 0) {
      const patience = this.#patience(giveUpAt, 'repeat');
      await this.announce(queuesOf(good), patience);
      const elsewhere = await this.#elsewhere.find(good, patience);
      if (elsewhere.size > 0) entries.forEach((one, at) => elsewhere.has(one) && (results[at] = exists));
    }
    for (const group of groups) {
      const left = without(group, results);
      if (left.entries.length === 0) continue;
      const answers = await this.#storeGroup(left, giveUpAt);
      answers.forEach((answer, at) => (results[left.places[at]!] = answer));
    }
  }

  async #storeGroup({ kind, entries, fault }: PushGroup, giveUpAt: number): Promise<readonly PushResult[]> {
    if (kind === 'fault') return [failed(fault)];
    const store = async (some: readonly PushEntry[]): Promise<readonly PushResult[]> => {
      const { link, keys } = this.parts;
      const call = pushCall(some, keys);
      const reply = await link.run(pushScript, call.keys, call.args, this.#patience(giveUpAt, 'tell'));
      return pushResults(reply, some.length);
    };
    if (kind === 'script') return store(entries);
    const one = async (entry: PushEntry): Promise<PushResult> => (await store([entry]))[0]!;
    return [await this.#farLock.push(entries[0]!, this.#patience(giveUpAt, 'repeat'), one)];
  }

  #patience(giveUpAt: number, lost: Patience['lost']): Patience {
    return { ms: Math.max(1, giveUpAt - performance.now()), lost };
  }

  /** The time for a dispatch is over: that is what the caller set, and can change. */
  #named(error: unknown, giveUpAt: number): unknown {
    // Timers may be a little early.
    if (!(error instanceof StoreUnreachableError) || performance.now() < giveUpAt - 5) return error;
    const { connection, dispatchTimeoutMs } = this.parts;
    return new DispatchTimeoutError(connection, dispatchTimeoutMs, {
      cause: error,
      ...(error.outcome && { outcome: error.outcome }),
      advice: error.message,
    });
  }
}

/** One name as it comes most often: no set is made for it. */
function queuesOf(entries: readonly PushEntry[]): Iterable<string> {
  const first = entries[0]!.queue;
  return entries.every(({ queue }) => queue === first) ? [first] : new Set(entries.map(({ queue }) => queue));
}

function without(group: PushGroup, results: readonly (PushResult | undefined)[]): PushGroup {
  if (group.places.every((place) => results[place] === undefined)) return group;
  const left = group.places.map((_, at) => at).filter((at) => results[group.places[at]!] === undefined);
  return { ...group, places: left.map((at) => group.places[at]!), entries: left.map((at) => group.entries[at]!) };
}

function failed(error: unknown): PushResult {
  return { stored: false, reason: 'error', error };
}
