import type { PushEntry, PushResult } from '../../../contracts/queue-driver.js';
import { DispatchTimeoutError, StoreUnreachableError } from '../../../contracts/store-errors.js';
import { deferred, type Deferred } from '../../../support/deferred.js';
import { entryFault } from '../../entry-fault.js';
import type { QueueStatements } from './dialect.js';
import type { EntryRows } from './entry-rows.js';
import type { Faults } from './faults.js';
import { atomically, LostLinkError, type OwnLink } from './link.js';
import type { Lane } from './lane.js';
import { lockPatience, type LockPatience } from './lock-rows.js';
import type { StoreAccess } from './store-access.js';

/** Entries of one statement, and characters of their bodies. */
const ROWS = 2_000;
const CHARACTERS = 4_000_000;

interface Call {
  readonly entries: readonly PushEntry[];
  readonly giveUpAt: number;
  readonly answer: Deferred<readonly PushResult[]>;
}

/**
 * Where pushes come in. One write is under way at a time, and what is asked for meanwhile goes with the next one, in the order in which
 * it came: a hundred dispatches at once share a few commits, and a single one waits for nobody.
 */
export class ServerPush {
  #calls: Call[] = [];
  #busy = false;

  constructor(
    private readonly parts: {
      readonly access: StoreAccess;
      readonly lane: Lane;
      readonly statements: QueueStatements;
      readonly entries: EntryRows;
      readonly faults: Faults;
      readonly begin: string;
      readonly connection: string;
      readonly dispatchTimeoutMs: number;
      readonly stored: (queues: ReadonlySet<string>) => void;
    },
  ) {}

  push(entries: readonly PushEntry[]): Promise<readonly PushResult[]> {
    if (entries.length === 0) return Promise.resolve([]);
    const giveUpAt = performance.now() + this.parts.dispatchTimeoutMs;
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
      const calls = this.#calls;
      this.#calls = [];
      await this.#store(calls);
    }
    this.#busy = false;
  }

  async #store(calls: readonly Call[]): Promise<void> {
    const results: PushResult[] = [];
    let thrown: { readonly error: unknown } | undefined;
    const entries = calls.length === 1 ? calls[0]!.entries : calls.flatMap((call) => call.entries);
    // All have the same time, so the first came to it first. They may be very many.
    const { giveUpAt } = calls[0]!;
    const locks = lockPatience();
    const queues = new Set<string>();
    const groups = groupsOf(entries);
    let following = groups.next();
    while (!following.done) {
      const group = following.value;
      const storing = this.#storeGroup(group, giveUpAt, locks);
      following =
        group.kind === 'plain' && group.entries.length > 1 ? await this.#ahead(groups, storing) : groups.next();
      try {
        const some = await storing;
        some.forEach((result, at) => result.stored && queues.add(group.entries[at]!.queue));
        results.push(...some);
      } catch (error) {
        thrown = { error: this.#named(error, giveUpAt) };
        break;
      }
    }
    if (queues.size > 0) this.parts.stored(queues);
    let at = 0;
    for (const { entries: own, answer } of calls) {
      const answers = results.slice(at, at + own.length);
      at += own.length;
      if (answers.length === own.length) answer.resolve(answers);
      else if (answers.length === 0) answer.reject(thrown!.error);
      else {
        const rest = Array.from({ length: own.length - answers.length }, () => failed(thrown!.error));
        answer.resolve([...answers, ...rest]);
      }
    }
  }

  /** The next group is made ready while the server works on this one. */
  async #ahead(groups: Iterator<Group>, storing: Promise<unknown>): Promise<IteratorResult<Group>> {
    // Who waits for it hears what goes wrong.
    storing.catch(() => {});
    // By then it has been sent.
    await new Promise((resolve) => setImmediate(resolve));
    const next = groups.next();
    if (!next.done && next.value.kind === 'plain') this.parts.statements.prepare?.(next.value.entries);
    return next;
  }

  async #storeGroup({ kind, entries }: Group, giveUpAt: number, locks?: LockPatience): Promise<readonly PushResult[]> {
    const { access, lane, statements, begin } = this.parts;
    if (kind === 'bad') return entries.map((entry) => failed(entryFault(entry)));
    const patience = { ms: Math.max(1, giveUpAt - performance.now()), lost: 'tell' } as const;
    if (kind === 'plain') {
      const work = async (link: OwnLink): Promise<readonly PushResult[]> =>
        (await statements.insert(link, entries, true)).map((stored) =>
          stored ? { stored } : { stored, reason: 'exists' },
        );
      try {
        return await access.use(lane, work, patience);
      } catch (error) {
        if (!this.#isRowFault(error)) throw error;
        if (entries.length === 1) return [failed(error)];
        return this.#storeHalves(entries, giveUpAt);
      }
    }
    const [entry] = entries;
    const store = (link: OwnLink): Promise<PushResult> =>
      atomically(link, begin, () => this.parts.entries.store(link, entry!, locks));
    return [await access.use(lane, store, patience)];
  }

  /** One of them is to blame: the others are stored. */
  async #storeHalves(entries: readonly PushEntry[], giveUpAt: number): Promise<readonly PushResult[]> {
    const middle = Math.ceil(entries.length / 2);
    const first = await this.#storeGroup({ kind: 'plain', entries: entries.slice(0, middle) }, giveUpAt);
    const rest = entries.slice(middle);
    try {
      return [...first, ...(await this.#storeGroup({ kind: 'plain', entries: rest }, giveUpAt))];
    } catch (error) {
      // The first half is stored, and must not be reported as if it were not.
      return [...first, ...rest.map(() => failed(this.#named(error, giveUpAt)))];
    }
  }

  #isRowFault(error: unknown): boolean {
    return error instanceof TypeError || (!(error instanceof LostLinkError) && this.parts.faults.of(error) === 'row');
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

interface Group {
  readonly kind: 'plain' | 'special' | 'bad';
  readonly entries: readonly PushEntry[];
}

/** Stretches that go in one statement, in order. What has a lock or `once` goes by itself. */
export function* groupsOf(entries: readonly PushEntry[]): Generator<Group> {
  let plain: PushEntry[] = [];
  let characters = 0;
  for (const entry of entries) {
    const kind = entryFault(entry) ? 'bad' : entry.lock || entry.once ? 'special' : 'plain';
    const length = kind === 'plain' ? entry.body.length : 0;
    if (plain.length > 0 && (kind !== 'plain' || plain.length >= ROWS || characters + length > CHARACTERS)) {
      yield { kind: 'plain', entries: plain };
      plain = [];
      characters = 0;
    }
    if (kind === 'plain') {
      plain.push(entry);
      characters += length;
    } else {
      yield { kind, entries: [entry] };
    }
  }
  if (plain.length > 0) yield { kind: 'plain', entries: plain };
}

function failed(error: unknown): PushResult {
  return { stored: false, reason: 'error', error };
}
