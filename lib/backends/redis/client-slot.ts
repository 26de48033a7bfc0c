import { onAbort } from '../../support/abort.js';
import { StoreClosedError } from '../store-state-errors.js';
import { afterReading } from './after-reading.js';
import { bareError, redisFault } from './redis-faults.js';
import type { RedisClient, RedisNode } from './redis-client.js';

/** How long a server that took the connection may take until it is ready, but for one that says that it is loading. */
const HANDSHAKE_MS = 5_000;
/** A client that has ended for good is replaced after this. */
const AGAIN_MS = 500;
/** What is refused although it is connected is looked at again after this: it may have been mended. */
const LOOK_AGAIN_MS = 1_000;
/** What went wrong before this says nothing of what goes wrong now, where it has worked in between. */
const RECENT_MS = 5_000;
/** How long the end of a client may take. */
const END_MS = 500;
/** Somebody who waits need not wait for the end of a pause between two tries, but for this. */
const HURRY_MS = 200;

interface Waiting {
  readonly take: (client: RedisClient) => void;
  readonly fail: (error: unknown) => void;
}

/** What a slot is made with. */
export interface SlotServices {
  readonly store: string;
  readonly make: () => Promise<RedisClient>;
  /** Looks at the server behind a connection that has just become ready. @throws what keeps it from being used */
  readonly vet: (client: RedisClient) => Promise<void>;
  /** Turns what keeps a connection from being used into what is thrown. */
  readonly refusal: (error: unknown) => Error;
}

/**
 * One client of the queue's own, made with the first use and replaced when it has ended, and the gate in front of it: who needs it
 * waits here, for as long as it may, until the connection is ready and its server has been looked at.
 */
export class ClientSlot {
  #client: RedisClient | undefined;
  #making: Promise<void> | undefined;
  #usable = false;
  #wasUsable = false;
  #refusal: Error | undefined;
  #lastError: Error | undefined;
  #erredAt = -Infinity;
  readonly #waiting = new Set<Waiting>();
  #triedAt = -Infinity;
  #again: NodeJS.Timeout | undefined;
  #lookAgain: NodeJS.Timeout | undefined;
  /** The masters of a cluster that were there at the last look. */
  #seen = new WeakSet<RedisNode>();
  #closed = false;

  constructor(private readonly services: SlotServices) {}

  /** The client, where it can be used at once. */
  get current(): RedisClient | undefined {
    const client = this.#client;
    if (!this.#usable || client!.status !== 'ready') return undefined;
    // Ended from here, it looks ready until the other side has ended it as well.
    return client!.isCluster || client!.stream?.writable === true ? client : undefined;
  }

  /** What was last wrong with the connection. */
  get lastError(): Error | undefined {
    // On a cluster one node fails while the others go on.
    const isOld = this.#usable && performance.now() - this.#erredAt > RECENT_MS;
    return isOld ? undefined : this.#lastError;
  }

  /** Connects now, where nothing is connected. A failure shows when the client is needed. */
  warm(): void {
    if (this.#client === undefined && !this.#closed) this.#open();
  }

  /**
   * `undefined` when the time is over, or the signal came, before the client could be used.
   *
   * @throws StoreRefusedError, StoreClosedError, MissingPackageError
   */
  async ready(ms: number, signal?: AbortSignal): Promise<RedisClient | undefined> {
    const { current } = this;
    if (current) return current;
    if (this.#closed) throw new StoreClosedError(this.services.store);
    if (this.#refusal) throw this.#refusal;
    if (ms <= 0 || signal?.aborted === true) return undefined;
    this.warm();
    this.#hurry();
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(waiting);
        clearTimeout(timer);
        off();
      };
      const waiting: Waiting = {
        take: (client) => (end(), resolve(client)),
        fail: (error) => (end(), reject(error as Error)),
      };
      const timer = setTimeout(() => (end(), resolve(undefined)), ms);
      let off = (): void => {};
      this.#waiting.add(waiting);
      if (signal) off = onAbort(signal, () => (end(), resolve(undefined)));
    });
  }

  /** Ends the client; what is under way on it fails. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#usable = false;
    clearTimeout(this.#again);
    clearTimeout(this.#lookAgain);
    for (const one of Array.from(this.#waiting)) one.fail(new StoreClosedError(this.services.store));
    await this.#making;
    if (this.#client) await ended(this.#client);
  }

  /** A server that was away for long is asked seldom; now it may be back. */
  #hurry(): void {
    const client = this.#client as (RedisClient & { reconnectTimeout?: NodeJS.Timeout | null }) | undefined;
    if (client?.status !== 'reconnecting' || !client.reconnectTimeout) return;
    if (performance.now() - this.#triedAt < HURRY_MS) return;
    clearTimeout(client.reconnectTimeout);
    client.reconnectTimeout = null;
    client.connect().catch(() => {});
  }

  #open(): void {
    this.#making ??= this.services.make().then(
      (client) => {
        this.#making = undefined;
        this.#take(client);
      },
      (error: unknown) => {
        this.#making = undefined;
        for (const one of Array.from(this.#waiting)) one.fail(error);
      },
    );
  }

  #take(client: RedisClient): void {
    // Before anything else: an error without a listener is printed by the client.
    client.on('error', (error) => this.#failed(error));
    client.on('node error', (error) => this.#nodeFailed(client, error));
    client.on('connecting', () => (this.#triedAt = performance.now()));
    client.on('connect', () => (this.#refusal = undefined));
    client.on('ready', () => void this.#vet(client));
    client.on('close', () => (this.#usable = false));
    client.on('refresh', () => void this.#vetNew(client));
    client.on('end', () => this.#ended(client));
    if (client.isCluster) {
      client.on('+node', (node) => watchHandshake(node as RedisNode));
      watchHandshake(client);
    } else {
      watchHandshake(client);
    }
    this.#client = client;
    if (this.#closed) return;
    client.connect().catch(() => {});
  }

  async #vet(client: RedisClient): Promise<void> {
    this.#see(client);
    try {
      await this.services.vet(client);
    } catch (error) {
      if (client === this.#client && client.status === 'ready') {
        const fault = redisFault(error);
        // Lost on the way, or busy for the moment: it begins anew.
        if (fault === 'way' && !isOwn(error)) client.disconnect(true);
        else if (fault === 'wait')
          setTimeout(() => client.status === 'ready' && void this.#vet(client), AGAIN_MS).unref();
        else if (this.#refusal === undefined) this.#refuse(error, client);
      }
      return;
    }
    // One that was told something bad in the meantime, such as that there is no such database, is not to be used.
    if (client !== this.#client || client.status !== 'ready' || this.#refusal || this.#closed) return;
    this.#usable = true;
    this.#wasUsable = true;
    this.#lastError = undefined;
    for (const one of Array.from(this.#waiting)) one.take(client);
  }

  /** A cluster says that it is ready once. What came since, a new node or a replica that was promoted, is looked at here. */
  async #vetNew(client: RedisClient): Promise<void> {
    if (!this.#usable || client !== this.#client || !this.#see(client)) return;
    try {
      await this.services.vet(client);
    } catch (error) {
      // One that does not answer is in the way of its own orders alone.
      if (isOwn(error) && client === this.#client && this.#usable) this.#refuse(error, client);
    }
  }

  /** Whether there are masters that were not there before. */
  #see(client: RedisClient): boolean {
    if (!client.isCluster) return false;
    const fresh = client.nodes('master').filter((node) => !this.#seen.has(node));
    for (const node of fresh) this.#seen.add(node);
    return fresh.length > 0;
  }

  /**
   * One node of a cluster. Once the cluster could be used, an order that this one refuses fails by its own answer, and the others go on:
   * its password may be just about to change, as it does node by node.
   */
  #nodeFailed(client: RedisClient, error: unknown): void {
    this.#erred(error);
    if (!this.#wasUsable && redisFault(error) === 'refused') this.#refuse(error, client);
  }

  #erred(error: unknown): void {
    this.#lastError = bareError(error);
    this.#erredAt = performance.now();
  }

  #failed(error: unknown): void {
    this.#erred(error);
    const cause = (error as { lastNodeError?: unknown } | null)?.lastNodeError;
    for (const one of [error, cause]) if (one !== undefined && redisFault(one) === 'refused') this.#refuse(one);
  }

  /** @param connected where it will not connect anew by itself: looked at again after a while */
  #refuse(error: unknown, connected?: RedisClient): void {
    this.#usable = false;
    const refusal = isOwn(error) ? error : this.services.refusal(error);
    this.#refusal = refusal;
    for (const one of Array.from(this.#waiting)) one.fail(refusal);
    if (connected === undefined) return;
    clearTimeout(this.#lookAgain);
    this.#lookAgain = setTimeout(() => {
      if (this.#refusal !== refusal || connected !== this.#client) return;
      this.#refusal = undefined;
      if (connected.status === 'ready') void this.#vet(connected);
    }, LOOK_AGAIN_MS).unref();
  }

  /** It tries again by itself for ever, so this is its settings' doing, or that of whoever else holds it. */
  #ended(client: RedisClient): void {
    this.#usable = false;
    if (client !== this.#client || this.#closed) return;
    this.#client = undefined;
    this.#again = setTimeout(() => this.warm(), AGAIN_MS);
  }
}

/** An error of this package. */
function isOwn(error: unknown): error is Error {
  return error instanceof Error && String((error as { code?: unknown }).code).startsWith('ERR_QUEUE_');
}

/** A server that takes a connection and then says nothing would hold it for ever: the client's own time limit ends with connecting. */
function watchHandshake(client: RedisClient): void {
  let timer: NodeJS.Timeout | undefined;
  const off = (): void => clearTimeout(timer);
  client.on('connect', () => {
    off();
    timer = setTimeout(() => afterReading(() => client.status === 'connect' && client.disconnect(true)), HANDSHAKE_MS);
    timer.unref();
  });
  for (const event of ['ready', 'close', 'end']) client.on(event, off);
}

function ended(client: RedisClient): Promise<void> {
  return new Promise((resolve) => {
    // Between two tries there is nothing that could end.
    if (client.status === 'end' || client.status === 'reconnecting') {
      client.disconnect();
      resolve();
      return;
    }
    const timer = setTimeout(() => {
      client.stream?.destroy();
      resolve();
    }, END_MS);
    client.once('end', () => {
      clearTimeout(timer);
      resolve();
    });
    client.disconnect();
  });
}
