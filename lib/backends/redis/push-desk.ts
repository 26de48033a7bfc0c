import type { PushEntry, PushResult } from '../../contracts/queue-driver.js';
import { DispatchTimeoutError, StoreUnreachableError } from '../../contracts/store-errors.js';
import { deferred, type Deferred } from '../../support/deferred.js';
import { QueueError } from '../../support/queue-error.js';
import type { Elsewhere } from './elsewhere.js';
import type { FarLock } from './far-lock.js';
import type { Patience, RedisLink } from './link.js';
import { exists, pushCall, pushResults } from './push-call.js';
import { pushGroups, type PushGroup } from './push-groups.js';
import type { QueueKeys } from './queue-keys.js';
import type { QueueNames } from './queue-names.js';
import { pushScript } from './scripts/push.js';

/** A push that needs another slot as well holds up those behind it no longer than this, or a fifth of a dispatch; then it goes on beside them. */
const OTHER_SLOT_MS = 500;

export interface DeskServices {
  readonly link: RedisLink;
  readonly keys: QueueKeys;
  readonly connection: string;
  readonly dispatchTimeoutMs: number;
  readonly names: QueueNames;
  readonly elsewhere: Elsewhere;
  readonly farLock: FarLock;
}

interface Call {
  readonly entries: readonly PushEntry[];
  readonly giveUpAt: number;
  readonly answer: Deferred<readonly PushResult[]>;
}

/** What goes in one go, and what became of each entry, by its place. */
interface Trip {
  readonly entries: readonly PushEntry[];
  readonly giveUpAt: number;
  readonly results: (PushResult | undefined)[];
  readonly thrown: Map<number, unknown>;
  /** What goes on when the trip is over. None of them rejects. */
  readonly beside: Promise<void>[];
}

/**
 * Where the pushes for one slot group come in. One trip is under way at a time, and what is asked for meanwhile goes with the next one,
 * in the order in which it came: a hundred dispatches at once share a few scripts, and a single one waits for nobody.
 */
export class PushDesk {
  #calls: Call[] = [];
  #busy = false;
  /** Pushes that wait for another slot for longer than they were waited for. */
  #late = 0;

  /** @param idle told when nothing is left to do */
  constructor(
    private readonly services: DeskServices,
    private readonly idle?: () => void,
  ) {}

  push(entries: readonly PushEntry[], giveUpAt: number): Promise<readonly PushResult[]> {
    const call: Call = { entries, giveUpAt, answer: deferred() };
    this.#calls.push(call);
    if (!this.#busy) {
      this.#busy = true;
      // Gathers what is dispatched in the same go; a single call loses nothing by it.
      queueMicrotask(() => void this.#work());
    }
    return call.answer.promise;
  }

  async #work(): Promise<void> {
    while (this.#calls.length > 0) {
      let calls = this.#calls;
      this.#calls = [];
      // They waited in vain for the trip before, and what is sent now might be stored behind their back.
      if (calls[0]!.giveUpAt <= performance.now()) calls = this.#withoutLate(calls);
      if (calls.length > 0) await this.#store(calls);
    }
    this.#busy = false;
    this.#restIfIdle();
  }

  #restIfIdle(): void {
    if (!this.#busy && this.#late === 0) this.idle?.();
  }

  #withoutLate(calls: readonly Call[]): Call[] {
    const now = performance.now();
    const { connection, dispatchTimeoutMs } = this.services;
    for (const { giveUpAt, answer } of calls) {
      if (giveUpAt <= now) answer.reject(new DispatchTimeoutError(connection, dispatchTimeoutMs));
    }
    return calls.filter(({ giveUpAt }) => giveUpAt > now);
  }

  async #store(calls: readonly Call[]): Promise<void> {
    const entries = calls.length === 1 ? calls[0]!.entries : calls.flatMap((call) => call.entries);
    const trip: Trip = {
      entries,
      // All have the same time, so the first came to it first. They may be very many.
      giveUpAt: calls[0]!.giveUpAt,
      results: entries.map(() => undefined),
      thrown: new Map(),
      beside: [],
    };
    await this.#go(trip);
    let at = 0;
    for (const call of calls) {
      const from = at;
      at += call.entries.length;
      const isOpen = (): boolean =>
        call.entries.some((_, place) => trip.results[from + place] === undefined && !trip.thrown.has(from + place));
      if (trip.beside.length > 0 && isOpen()) void Promise.all(trip.beside).then(() => answer(call, trip, from));
      else answer(call, trip, from);
    }
  }

  async #go(trip: Trip): Promise<void> {
    const { keys, names, elsewhere } = this.services;
    const all = pushGroups(trip.entries, keys);
    const groups = all.filter(({ kind }) => kind !== 'fault');
    for (const { kind, places, fault } of all) if (kind === 'fault') trip.results[places[0]!] = failed(fault);
    if (groups.length === 0) return;
    const good = groups.length === 1 ? groups[0]!.entries : groups.flatMap(({ entries }) => entries);
    const unwritten = names.unwritten(queuesOf(good));
    try {
      if (unwritten.length > 0) await names.write(unwritten, this.#patience(trip, 'repeat'));
    } catch (error) {
      this.#fail(groups, trip, error);
      return;
    }
    const asked = elsewhere.asked(good);
    if (asked.length === 0) return this.#storeGroups(groups, trip);
    const some = new Set(asked);
    const rest = groups.map((group) => only(group, (entry) => some.has(entry)));
    const others = groups.map((group) => only(group, (entry) => !some.has(entry)));
    const finding = this.#find(asked, rest, trip);
    let found: ReadonlySet<PushEntry> | undefined;
    try {
      found = await this.#inTime(finding);
    } catch (error) {
      this.#fail(rest, trip, error);
      return this.#storeGroups(others, trip);
    }
    if (found) return this.#storeGroups(without(groups, found), trip);
    trip.beside.push(
      finding.then(
        (late) => this.#storeGroups(without(rest, late), trip, 'beside'),
        (error: unknown) => void this.#fail(rest, trip, error),
      ),
    );
    return this.#storeGroups(others, trip);
  }

  /** What lives elsewhere has its answer then. */
  async #find(asked: readonly PushEntry[], groups: readonly PushGroup[], trip: Trip): Promise<ReadonlySet<PushEntry>> {
    const found = await this.services.elsewhere.find(asked, this.#patience(trip, 'repeat'));
    for (const { entries, places } of found.size > 0 ? groups : []) {
      entries.forEach((entry, at) => found.has(entry) && (trip.results[places[at]!] = exists));
    }
    return found;
  }

  /** One after the other, so that a queue keeps its order. Never rejects. */
  async #storeGroups(groups: readonly PushGroup[], trip: Trip, how?: 'beside'): Promise<void> {
    for (const [at, group] of groups.entries()) {
      if (group.entries.length === 0) continue;
      if (group.kind === 'far') {
        const work = this.#storeFar(group, trip);
        if (how === 'beside') await work;
        else if (!(await this.#inTime(work))) trip.beside.push(work.then(() => {}));
        continue;
      }
      const { connection, dispatchTimeoutMs } = this.services;
      if (at > 0 && performance.now() >= trip.giveUpAt) {
        this.#fail(groups.slice(at), trip, new DispatchTimeoutError(connection, dispatchTimeoutMs));
        return;
      }
      try {
        const answers = await this.#send(group.entries, trip);
        answers.forEach((answer, index) => (trip.results[group.places[index]!] = answer));
      } catch (error) {
        const named = this.#fail([group], trip, error);
        this.#fail(groups.slice(at + 1), trip, this.#unsent(named));
        return;
      }
    }
  }

  async #storeFar(group: PushGroup, trip: Trip): Promise<true> {
    const one = async (entry: PushEntry): Promise<PushResult> => (await this.#send([entry], trip))[0]!;
    try {
      const { farLock } = this.services;
      trip.results[group.places[0]!] = await farLock.push(group.entries[0]!, this.#patience(trip, 'repeat'), one);
    } catch (error) {
      this.#fail([group], trip, error);
    }
    return true;
  }

  async #send(entries: readonly PushEntry[], trip: Trip): Promise<readonly PushResult[]> {
    const { link, keys } = this.services;
    const call = pushCall(entries, keys);
    const reply = await link.run(pushScript, call.keys, call.args, this.#patience(trip, 'tell'));
    return pushResults(reply, entries.length);
  }

  /** `undefined` where other slots take too long for it. While one does, nothing waits for the next ones. */
  async #inTime<T extends object | true>(work: Promise<T>): Promise<T | undefined> {
    if (!this.services.link.isCluster) return work;
    const longest = this.#late > 0 ? 0 : Math.min(OTHER_SLOT_MS, this.services.dispatchTimeoutMs / 5);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), longest);
    });
    try {
      const first = await Promise.race([work, late]);
      if (first !== undefined) return first;
    } finally {
      clearTimeout(timer);
    }
    this.#late += 1;
    const off = (): void => {
      this.#late -= 1;
      this.#restIfIdle();
    };
    work.then(off, off);
    return undefined;
  }

  #patience({ giveUpAt }: Trip, lost: Patience['lost']): Patience {
    return { ms: Math.max(1, giveUpAt - performance.now()), lost };
  }

  /** @returns the error as it is told */
  #fail(groups: readonly PushGroup[], trip: Trip, error: unknown): unknown {
    const named = this.#named(error, trip.giveUpAt);
    for (const { places } of groups) for (const place of places) trip.thrown.set(place, named);
    return named;
  }

  /** The time for a dispatch is over: that is what the caller set, and can change. */
  #named(error: unknown, giveUpAt: number): unknown {
    // Timers may be a little early.
    if (!(error instanceof StoreUnreachableError) || performance.now() < giveUpAt - 5) return error;
    const { connection, dispatchTimeoutMs } = this.services;
    return new DispatchTimeoutError(connection, dispatchTimeoutMs, {
      cause: error,
      ...(error.outcome && { outcome: error.outcome }),
      advice: error.message,
    });
  }

  /** What stood behind a group that may have been stored was not sent. */
  #unsent(error: unknown): unknown {
    const { connection, dispatchTimeoutMs } = this.services;
    if (!(error instanceof QueueError) || error.outcome !== 'unknown') return error;
    if (error instanceof DispatchTimeoutError) {
      return new DispatchTimeoutError(connection, dispatchTimeoutMs, { cause: error });
    }
    return new StoreUnreachableError(connection, 'redis', error.cause ?? error);
  }
}

function answer({ entries, answer: { resolve, reject } }: Call, { results, thrown }: Trip, from: number): void {
  const own = entries.length === results.length ? results : results.slice(from, from + entries.length);
  if (thrown.size === 0) return resolve(own as readonly PushResult[]);
  const errors = new Set(entries.map((_, at) => thrown.get(from + at)));
  // One and the same for all of them; `undefined` is that of what has a result.
  if (errors.size === 1 && thrown.has(from)) return reject(thrown.get(from));
  resolve(own.map((result, at) => result ?? failed(thrown.get(from + at))));
}

/** One name as it comes most often: no set is made for it. */
function queuesOf(entries: readonly PushEntry[]): Iterable<string> {
  const first = entries[0]!.queue;
  return entries.every(({ queue }) => queue === first) ? [first] : new Set(entries.map(({ queue }) => queue));
}

function without(groups: readonly PushGroup[], gone: ReadonlySet<PushEntry>): readonly PushGroup[] {
  return gone.size === 0 ? groups : groups.map((group) => only(group, (entry) => !gone.has(entry)));
}

function only(group: PushGroup, wanted: (entry: PushEntry) => boolean): PushGroup {
  const { places, entries } = group;
  return {
    ...group,
    places: places.filter((_, at) => wanted(entries[at]!)),
    entries: entries.filter((entry) => wanted(entry)),
  };
}

export function failed(error: unknown): PushResult {
  return { stored: false, reason: 'error', error };
}
