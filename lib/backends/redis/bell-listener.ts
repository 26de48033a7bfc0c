import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '../../support/backoff.js';
import { afterReading } from './after-reading.js';
import type { ClientSlot } from './client-slot.js';
import type { RedisClient } from './redis-client.js';
import type { SentCommandClass } from './sent-command.js';

/** The server answers after so long where nothing rings: an answer that does not come then is a connection that is dead. */
const BLOCK_S = 5;
const GRACE_MS = 2_000;
/** A connection is waited for in turns of this. */
const TURN_MS = 60_000;
/** Between tries, ms. */
const PAUSE = { first: 100, longest: 3_000 };

/** What a listener is made with. */
export interface ListenerServices {
  /** A client that does nothing else. */
  readonly slot: ClientSlot;
  readonly commandsOf: (client: RedisClient) => SentCommandClass;
  readonly bellOf: (queue: string) => string;
  /** Takes the marker of a queue along: what it stands for must be seen to. */
  readonly heard: (queue: string) => void;
  /** It hears again after it did not: something may have been missed. */
  readonly back: () => void;
  /** Ends the wait that is out, so that it can begin anew for other queues. */
  readonly unblock: () => void;
}

/** One connection that waits for the bells of some queues, while anybody wants to hear them. Lost, it is replaced for as long. */
export class BellListener {
  #wanted: readonly string[] = [];
  /** The queues of the BLPOP that the server has. */
  #out: readonly string[] = [];
  #running: Promise<void> | undefined;
  #deaf = true;
  #unblocking = false;
  #lost = false;
  readonly #stop = new AbortController();

  constructor(private readonly services: ListenerServices) {}

  get isWanted(): boolean {
    return this.#wanted.length > 0;
  }

  /** The bells of what it was asked for are heard. */
  get hearing(): boolean {
    return !this.#deaf && this.services.slot.current !== undefined;
  }

  /** What rings for this queue comes here, or has come. */
  covers(queue: string): boolean {
    return this.hearing && this.#out.includes(queue);
  }

  /** A wait that is out for more than this goes on: what it takes is given back. */
  want(queues: readonly string[]): void {
    this.#wanted = queues;
    if (this.#stop.signal.aborted || queues.length === 0) return;
    this.#running ??= this.#run();
    if (this.#out.length === 0 || this.#unblocking || queues.every((queue) => this.#out.includes(queue))) return;
    this.#unblocking = true;
    this.services.unblock();
  }

  /** Ends the connection; answers for which queues a marker may have been lost with it. */
  async close(): Promise<readonly string[]> {
    const out = this.#out;
    this.#stop.abort();
    await this.services.slot.close();
    await this.#running;
    return out;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { slot, back, heard } = this.services;
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted && this.#wanted.length > 0;) {
      try {
        const client = await slot.ready(TURN_MS, signal);
        if (client === undefined) continue;
        if (this.#lost) back();
        this.#lost = false;
        if (this.#wanted.length === 0) break;
        this.#deaf = false;
        const queue = await this.#pop(client, this.#wanted);
        failures = 0;
        if (queue !== undefined) heard(queue);
      } catch {
        // Said by whoever does the work: they need the same server.
        this.#deaf = true;
        this.#lost = true;
        const ms = backoffMs(failures++, PAUSE.first, PAUSE.longest);
        await sleep(ms, undefined, { signal, ref: false }).catch(() => {});
      }
    }
    this.#running = undefined;
  }

  /** The queue that has rung; `undefined` where none has for a while. */
  async #pop(client: RedisClient, queues: readonly string[]): Promise<string | undefined> {
    const { keyPrefix = '' } = client.options;
    const bells = new Map(queues.map((queue) => [this.services.bellOf(queue), queue]));
    const Command = this.services.commandsOf(client);
    const command = new Command('blpop', [...bells.keys(), BLOCK_S], { keyPrefix, replyEncoding: 'utf8' });
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    this.#out = queues;
    try {
      const reply = await new Promise<unknown>((resolve, reject) => {
        const giveUp = (): void => {
          if (isOver) return;
          const error = new Error('the bells do not answer');
          command.abandoned = true;
          command.socket?.destroy(error);
          reject(error);
        };
        timer = setTimeout(() => afterReading(giveUp), BLOCK_S * 1_000 + GRACE_MS);
        timer.unref();
        (client.sendCommand(command) as Promise<unknown>).then(resolve, reject);
      });
      return Array.isArray(reply) ? bells.get(String(reply[0]).slice(keyPrefix.length)) : undefined;
    } finally {
      isOver = true;
      clearTimeout(timer);
      this.#out = [];
      this.#unblocking = false;
    }
  }
}
