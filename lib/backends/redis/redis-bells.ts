import { Doorbell } from '../../support/take-or-wait.js';
import { BellListener } from './bell-listener.js';
import type { Keyspace } from './keyspace.js';
import type { Patience } from './link.js';
import type { RedisLinks } from './redis-links.js';
import { giveBackBellScript } from './scripts/give-back-bell.js';

/** An empty answer is good for so long, where nothing has rung since. */
const QUIET_MS = 250;
/** A marker that cannot be given back within this is left: those it would wake look for themselves now and then. */
const GIVE_BACK: Patience = { ms: 1_000, lost: 'repeat' };
const AT_THE_END: Patience = { ms: 200, lost: 'repeat' };

/** A call that waits for some queues. It hears this process from its beginning. */
export interface QueueWait {
  /** Listened to before each look, as `takeOrWait` does: what rang before a look is seen to by it. */
  readonly bell: Doorbell;
  /**
   * Hears other processes too from now on, until the next look begins. True when something may have rung that nobody heard: look once
   * more before waiting. Here it never may: a ring that nobody hears is kept by the server.
   */
  listen(): boolean;
  off(): void;
}

/**
 * Who waits for which queues. A push leaves a marker on the bell of its queue, and whoever waits there takes it: one marker wakes one
 * process. A marker that wakes nobody in this one is given back.
 */
export class RedisBells {
  readonly #waits = new Set<Wait>();
  readonly #listeners = new Map<string, BellListener>();
  /** How often anything has rung. */
  rings = 0;
  #emptyAt = -Infinity;
  #emptyQueues = '';
  #nextAt = Infinity;
  #closed = false;

  constructor(
    private readonly links: RedisLinks,
    private readonly keys: Keyspace,
  ) {}

  /** Pushes of other processes into queues that are waited for are heard at once. */
  get hearing(): boolean {
    const all = [...this.#listeners.values()];
    const wanted = all.filter(({ isWanted }) => isWanted);
    const listeners = wanted.length > 0 ? wanted : all;
    return listeners.length > 0 && listeners.every(({ hearing }) => hearing);
  }

  wait(queues: readonly string[]): QueueWait {
    const wait: Wait = {
      queues,
      armed: false,
      bell: new WaitBell(() => (wait.armed = false)),
      listen: () => {
        if (wait.armed || this.#closed) return false;
        wait.armed = true;
        this.#want();
        return false;
      },
      off: () => {
        this.#waits.delete(wait);
        wait.armed = false;
        if (this.#listeners.size > 0) this.#want();
        // Rung by a marker, and ended without another look.
        const { owed } = wait.bell;
        if (owed.size > 0) void this.#giveBack([...owed], GIVE_BACK);
      },
    };
    this.#waits.add(wait);
    return wait;
  }

  /** Jobs were stored into these queues by this process, or given back. The server rings for those who wait there. */
  stored(queues: Iterable<string>): void {
    for (const queue of queues) if (!this.#listenerOf(queue)?.covers(queue)) this.#rung(queue);
  }

  /**
   * @param nextAt when the next job of these queues is due, by `performance.now()`
   * @param rings their count before it was looked: what has rung since may not have been seen
   */
  foundEmpty(queues: readonly string[], nextAt: number, rings: number): void {
    if (rings !== this.rings) return;
    this.#emptyAt = performance.now();
    this.#emptyQueues = queues.join('\n');
    this.#nextAt = nextAt;
  }

  /** When the next job is due of queues that were found empty just now and have not rung since; else `undefined`. */
  stillEmpty(queues: readonly string[]): number | undefined {
    const fresh = performance.now() - this.#emptyAt < QUIET_MS && this.#emptyQueues === queues.join('\n');
    return fresh ? this.#nextAt : undefined;
  }

  /** Before the links are closed: what was under way is given back. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { bell } of this.#waits) bell.ring();
    const out = await Promise.all([...this.#listeners.values()].map((listener) => listener.close()));
    if (this.links.commands.isUp) await this.#giveBack(out.flat(), AT_THE_END);
  }

  #rung(queue: string | undefined): boolean {
    this.rings += 1;
    this.#emptyAt = -Infinity;
    let woken = false;
    for (const { queues, bell } of this.#waits) {
      if (queue !== undefined && !queues.includes(queue)) continue;
      woken = true;
      bell.ring();
    }
    return woken;
  }

  #heard(queue: string): void {
    for (const wait of this.#waits) {
      if (!wait.queues.includes(queue)) continue;
      wait.armed = false;
      wait.bell.owed.add(queue);
    }
    this.#want();
    if (!this.#rung(queue)) void this.#giveBack([queue], GIVE_BACK);
  }

  #want(): void {
    const wanted = new Set<string>();
    for (const { queues, armed } of this.#waits) if (armed) for (const queue of queues) wanted.add(queue);
    if (!this.links.isCluster) {
      this.#listener('').want([...wanted]);
      return;
    }
    for (const queue of wanted) this.#listener(queue);
    for (const [queue, listener] of this.#listeners) listener.want(wanted.has(queue) ? [queue] : []);
  }

  #listenerOf(queue: string): BellListener | undefined {
    return this.#listeners.get(this.links.isCluster ? queue : '');
  }

  /** A cluster has the bells in many places, and a connection that waits at one hears nothing of the others. */
  #listener(place: string): BellListener {
    let listener = this.#listeners.get(place);
    if (listener === undefined) {
      let id: unknown;
      const slot = this.links.slot('bells', async (client) => {
        if (client.isCluster) return;
        const Command = this.links.commandsOf(client);
        id = await client.sendCommand(new Command('client', ['id'], { replyEncoding: 'utf8' }));
      });
      listener = new BellListener({
        slot,
        commandsOf: (client) => this.links.commandsOf(client),
        bellOf: (queue) => `${this.keys.queue(queue)}:bell`,
        heard: (queue) => this.#heard(queue),
        back: () => void this.#rung(undefined),
        // What cannot be ended ends by itself, a few seconds later.
        unblock: () => void this.links.commands.send('CLIENT', ['UNBLOCK', String(id)], GIVE_BACK).catch(() => {}),
      });
      this.#listeners.set(place, listener);
    }
    return listener;
  }

  /** Never rejects. */
  async #giveBack(queues: readonly string[], patience: Patience): Promise<void> {
    const bases = queues.map((queue) => this.keys.queue(queue));
    const groups = this.links.isCluster ? bases.map((base) => [base]) : bases.length > 0 ? [bases] : [];
    await Promise.allSettled(
      groups.map((keys) => this.links.commands.run(giveBackBellScript, keys, [keys.length], patience)),
    );
  }
}

interface Wait extends QueueWait {
  readonly queues: readonly string[];
  readonly bell: WaitBell;
  /** It is being waited: no look is under way. */
  armed: boolean;
}

/** Knows whether what rang has been looked for. */
class WaitBell extends Doorbell {
  /** The queues whose markers rang it since the last look began: on a cluster several may, each on a connection of its own. */
  readonly owed = new Set<string>();

  constructor(private readonly looking: () => void) {
    super();
  }

  override next(): ReturnType<Doorbell['next']> {
    this.owed.clear();
    this.looking();
    return super.next();
  }
}
