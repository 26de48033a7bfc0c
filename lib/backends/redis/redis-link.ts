import { setTimeout as sleep } from 'node:timers/promises';
import { StoreFullError, StoreRefusedError, StoreUnreachableError } from '../../contracts/store-errors.js';
import { backoffMs } from '../../support/backoff.js';
import { type Link, LiveList } from '../../support/live-list.js';
import type { QueueError } from '../../support/queue-error.js';
import { StoreClosedError } from '../store-state-errors.js';
import { afterReading } from './after-reading.js';
import type { ClientSlot } from './client-slot.js';
import type { Arg, Order, Patience, RedisLink, Reply } from './link.js';
import type { RedisClient } from './redis-client.js';
import { bareError, redisFault, type RedisFault } from './redis-faults.js';
import type { Script, ScriptText } from './script.js';
import type { SentCommand, SentCommandClass } from './sent-command.js';

/** A command that has had no answer for so long gets none: the way to the server is dead, or the server is. */
const COMMAND_MS = 5_000;
/** The same where nothing but short commands goes, and each is waited for in vain already. */
const SHORT_COMMAND_MS = 500;
/** How often it is looked for such, while any is under way. */
const LOOK_EVERY_MS = 100;
/** Between two tries, ms. */
const PAUSE = { first: 20, longest: 1_000 };
/** What is under way when the link is closed has so long to be answered. */
const CLOSE_MS = 250;

/** One command on its way. */
interface Flight {
  link?: Link<Flight> | undefined;
  readonly command: SentCommand;
  readonly at: number;
  readonly until: number;
  readonly fail: (error: unknown) => void;
  /** Nobody waits for it any more; its connection is still to answer. */
  isOver: boolean;
}

/** The answer was not heard. */
class Unheard extends Error {
  constructor(
    readonly wasSent: boolean,
    override readonly cause: Error,
  ) {
    super(cause.message);
  }
}

/** What a link is made with. */
export interface LinkServices {
  readonly connection: string;
  readonly store: string;
  readonly isCluster: boolean;
  readonly slot: ClientSlot;
  /** A command without an answer in its time is taken for a dead connection, however short that is. */
  readonly impatient?: boolean;
  /** The commands of this client's copy of ioredis. */
  readonly commandsOf: (client: RedisClient) => SentCommandClass;
  /** Which of a script's texts the servers understand. */
  readonly textOf: (script: Script) => ScriptText;
  /** The server did not understand a script that begins with flags. */
  readonly noFlags: () => void;
}

/** Orders over one client: waits for it, sends, and sees to what may go wrong on the way. */
export class ClientLink implements RedisLink {
  readonly isCluster: boolean;
  readonly #flights = new LiveList<'link', Flight>('link');
  /** The digests of the scripts that were sent whole. */
  readonly #sent = new Set<string>();
  #looking: NodeJS.Timeout | undefined;
  #lookedAt = 0;
  #closed = false;
  #stop = new AbortController();

  constructor(private readonly services: LinkServices) {
    this.isCluster = services.isCluster;
  }

  run(script: Script, keys: readonly string[], args: readonly Arg[], patience: Patience): Promise<Reply> {
    return this.#perform({ script, keys, args }, patience);
  }

  send(command: string, args: readonly Arg[], patience: Patience): Promise<Reply> {
    return this.#perform({ command, args }, patience);
  }

  async all(orders: readonly Order[], patience: Patience): Promise<readonly Reply[]> {
    const stream = this.services.slot.current?.stream;
    // One packet for all of them, where they go to one server.
    stream?.cork();
    let answers: readonly PromiseSettledResult<Reply>[];
    try {
      const all = Promise.allSettled(orders.map((order) => this.#perform(order, patience)));
      stream?.uncork();
      answers = await all;
    } catch (error) {
      stream?.uncork();
      throw error;
    }
    return answers.map((answer) => {
      if (answer.status === 'rejected') throw answer.reason;
      return answer.value;
    });
  }

  /** Connects now, where nothing is connected. */
  warm(): void {
    this.services.slot.warm();
  }

  /** An order would be sent at once. */
  get isUp(): boolean {
    return !this.#closed && this.services.slot.current !== undefined;
  }

  /** Waits until the servers have been reached. @throws as every order */
  async ready(patience: Patience): Promise<RedisClient> {
    const { slot } = this.services;
    const client = await slot.ready(patience.ms, patience.signal);
    if (client === undefined) throw this.#unreachable(this.#why(undefined, patience.ms));
    return client;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop.abort();
    const until = performance.now() + CLOSE_MS;
    while (this.#flights.all().some(({ isOver }) => !isOver) && performance.now() < until) await sleep(5);
    const closed = new StoreClosedError(this.services.store);
    for (const flight of this.#flights.all()) this.#giveUp(flight, closed);
    this.#flights.clear();
    clearInterval(this.#looking);
    this.#looking = undefined;
    await this.services.slot.close();
  }

  async #perform(order: Order, patience: Patience): Promise<Reply> {
    const { slot, store } = this.services;
    const { signal } = patience;
    const giveUpAt = performance.now() + patience.ms;
    let inFull = false;
    let last: Error | undefined;
    for (let failures = 0; ; failures += 1) {
      if (this.#closed) throw new StoreClosedError(store);
      const client = slot.current ?? (await slot.ready(giveUpAt - performance.now(), signal));
      if (client === undefined) throw this.#unreachable(this.#why(last, patience.ms));
      try {
        return await this.#once(client, order, inFull, giveUpAt);
      } catch (error) {
        if (error instanceof Unheard) {
          if (error.wasSent && patience.lost === 'tell') throw this.#unreachable(error.cause, 'unknown');
          // What the server said before tells more.
          last ??= error.cause;
          if (client.isCluster) client.refreshSlotsCache?.();
        } else {
          const fault = redisFault(error);
          if (fault === 'noscript' && !inFull) {
            inFull = true;
            continue;
          }
          if (fault === 'flags') this.services.noFlags();
          else if (fault !== 'wait') throw this.#refused(error, fault);
          last = bareError(error);
          if (client.isCluster && last.message.startsWith('CLUSTERDOWN')) client.refreshSlotsCache?.();
        }
      }
      if (this.#closed) throw new StoreClosedError(store);
      const left = giveUpAt - performance.now();
      if (left <= 0 || signal?.aborted === true) throw this.#unreachable(last);
      await this.#pause(Math.min(left, backoffMs(failures, PAUSE.first, PAUSE.longest)), signal);
    }
  }

  /** @throws Unheard, or what the server answered */
  #once(client: RedisClient, order: Order, inFull: boolean, until: number): Promise<Reply> {
    const Command = this.services.commandsOf(client);
    const options = { keyPrefix: client.options.keyPrefix, replyEncoding: 'utf8' } as const;
    const command =
      'script' in order
        ? new Command(...this.#scriptCall(order.script, order.keys, order.args, inFull), options)
        : new Command(order.command.toLowerCase(), order.args, options);
    return new Promise<Reply>((resolve, reject) => {
      const flight: Flight = { command, at: performance.now(), until, fail: reject, isOver: false, link: undefined };
      this.#flights.add(flight);
      if (this.#looking === undefined) {
        this.#lookedAt = flight.at;
        this.#looking = setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
      }
      (client.sendCommand(command) as Promise<unknown>).then(
        (reply) => {
          this.#flights.delete(flight);
          resolve(reply as Reply);
        },
        (error: unknown) => {
          this.#flights.delete(flight);
          // Not on the connection that was lost, but sent on by another server, or never sent.
          const { socket } = command;
          reject(redisFault(error) === 'way' ? new Unheard(socket?.destroyed === true, this.#wayError(error)) : error);
        },
      );
    });
  }

  #scriptCall(
    script: Script,
    keys: readonly string[],
    args: readonly Arg[],
    inFull: boolean,
  ): [name: string, args: readonly Arg[]] {
    const { text, sha } = this.services.textOf(script);
    const all = this.isCluster ? withMissing(keys) : keys;
    // The first time it goes whole: what is sent behind it keeps its place, which it would not behind a NOSCRIPT.
    const isNew = !this.#sent.has(sha);
    if (isNew) this.#sent.add(sha);
    const call = [all.length, ...all, ...args];
    return inFull || isNew ? ['eval', [text, ...call]] : ['evalsha', [sha, ...call]];
  }

  /** One timer for all, and none where nothing is under way: most commands take less than a millisecond. */
  #look(): void {
    const now = performance.now();
    const isBehind = now - this.#lookedAt > 2 * LOOK_EVERY_MS;
    this.#lookedAt = now;
    if (this.#flights.size === 0) {
      clearInterval(this.#looking);
      this.#looking = undefined;
    }
    // Somebody has held the event loop: the answers may be there, unread.
    if (isBehind) afterReading(() => this.#judge(now));
    else this.#judge(now);
  }

  /** Gives up what has had its time by now. */
  #judge(now: number): void {
    for (const flight of this.#flights.all()) {
      const isLate = now >= flight.until;
      const longest = isLate && this.services.impatient === true ? SHORT_COMMAND_MS : COMMAND_MS;
      const isDead = now - flight.at >= longest;
      if (!isDead && !isLate) continue;
      const error = new Error(`no answer within ${Math.round(now - flight.at)} ms`);
      this.#giveUp(flight, error);
      const { socket } = flight.command;
      if (isDead || socket === undefined) this.#flights.delete(flight);
      // The client connects again by itself.
      if (isDead) socket?.destroy(error);
    }
  }

  #giveUp(flight: Flight, error: Error): void {
    if (flight.isOver) return;
    flight.isOver = true;
    flight.command.abandoned = true;
    flight.fail(new Unheard(flight.command.socket !== undefined, error));
  }

  async #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const ends = signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal;
    await sleep(ms, undefined, { signal: ends }).catch(() => {});
  }

  /** What the client says of an ended connection is about itself; why it ended is known before. */
  #wayError(error: unknown): Error {
    return this.services.slot.lastError ?? bareError(error);
  }

  #why(last: Error | undefined, ms: number): Error {
    return this.services.slot.lastError ?? last ?? new Error(`it was not ready within ${Math.round(ms)} ms`);
  }

  #refused(error: unknown, fault: RedisFault): Error {
    const { connection, store } = this.services;
    const bare = bareError(error);
    if (fault === 'full') return new StoreFullError(connection, bare);
    return fault === 'refused' ? refusedBy(connection, store, bare) : bare;
  }

  #unreachable(cause: unknown, outcome?: 'unknown'): QueueError {
    const { connection, store } = this.services;
    return new StoreUnreachableError(connection, store, cause, outcome ? { outcome } : undefined);
  }
}

export function refusedBy(connection: string, store: string, error: unknown): StoreRefusedError {
  return new StoreRefusedError(
    connection,
    store,
    bareError(error),
    "Mend the user, the password, the database's number, or the user's rights: +@all on the keys of the connection's prefix.",
  );
}

/**
 * While a slot moves, a server knows by the keys of a script where it has to go, and here they are only what the real ones begin with.
 * With one more that never exists it is asked to wait until all of the slot is in one place (TRYAGAIN), instead of being run where the
 * rest is not.
 */
function withMissing(keys: readonly string[]): readonly string[] {
  return keys.length > 0 ? [...keys, `${keys[0]}:-`] : keys;
}
