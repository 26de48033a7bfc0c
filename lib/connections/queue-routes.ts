import { InvalidOptionError } from '../support/queue-error.js';
import { assertQueueName } from './queue-name.js';

/** Where the jobs of a class go that do not say so themselves. */
export interface QueueRoute {
  readonly connection?: string;
  readonly queue?: string;
}

/** What a dispatch asked for: by fluent call, method, field or decorator. */
export interface AskedRoute {
  /** The job's class. */
  readonly type?: Function;
  readonly connection?: string | undefined;
  readonly queue?: string | undefined;
}

export interface ResolvedRoute {
  readonly connection: string;
  readonly queue: string;
  /** As the job or its route asked for, before forwarding; `null` is the connection's own queue. */
  readonly requestedQueue: string | null;
}

/** Which connection and queue a job goes to, and under which name a queue really lives. */
export class QueueRoutes {
  readonly #routes = new Map<Function, QueueRoute>();
  readonly #everywhere = new Map<string, string>();
  /** By connection, then queue. */
  readonly #on = new Map<string, Map<string, string>>();

  /** Sends the jobs of a class and of its subclasses to a connection, a queue, or both. A later route for the same class replaces it. */
  route(type: Function, to: QueueRoute): void {
    if (typeof type !== 'function')
      throw new InvalidOptionError('A route needs a job class: route(SendInvoice, { queue: "billing" }).');
    if (to.queue !== undefined) assertQueueName(to.queue);
    this.#routes.set(type, { ...to });
  }

  /**
   * Gives a queue another name wherever one is looked up: push, pop, size, clear; with a connection only there, and jobs that name
   * the queue without naming a connection then go to that one. Forwards may be chained.
   *
   * @throws InvalidOptionError when forwards would go round in a circle
   */
  forward(queue: string, to: string, connection?: string): void {
    assertQueueName(queue);
    assertQueueName(to);
    const table = connection === undefined ? this.#everywhere : (this.#on.get(connection) ?? new Map<string, string>());
    const before = table.get(queue);
    table.set(queue, to);
    if (connection !== undefined) this.#on.set(connection, table);
    if (this.#circles(queue)) {
      if (before === undefined) table.delete(queue);
      else table.set(queue, before);
      throw new InvalidOptionError(
        `Forwarding the queue "${queue}" to "${to}" would lead back to "${queue}". Take one of the forwards out.`,
      );
    }
  }

  /** Whether any queue is forwarded at all. */
  get forwards(): boolean {
    return this.#everywhere.size > 0 || this.#on.size > 0;
  }

  /** The name a queue really has on a connection. Asking again with the answer gives the same answer. */
  forwarded(queue: string, connection: string): string {
    for (let name = queue; ;) {
      const next = this.#next(name, connection);
      if (next === undefined || next === name) return name;
      name = next;
    }
  }

  /** The route of a class: its own, else its nearest parent's. */
  routeOf(type: Function | undefined): QueueRoute | undefined {
    if (this.#routes.size === 0) return undefined;
    for (let one = type; one && one !== Function.prototype; one = Object.getPrototypeOf(one) as Function | undefined) {
      const found = this.#routes.get(one);
      if (found) return found;
    }
    return undefined;
  }

  /**
   * Connection: asked for > class route > forward > default. Queue: asked for > class route > the connection's own, then forwarded.
   *
   * @throws InvalidQueueNameError, and what `queueOf` throws for a connection it does not know
   */
  resolve(
    asked: AskedRoute,
    defaults: { readonly connection: string; readonly queueOf: (connection: string) => string },
  ): ResolvedRoute {
    const route = this.routeOf(asked.type);
    const requestedQueue = asked.queue ?? route?.queue ?? null;
    if (requestedQueue !== null) assertQueueName(requestedQueue);
    const connection =
      asked.connection ??
      route?.connection ??
      this.#connectionFor(requestedQueue, defaults.connection) ??
      defaults.connection;
    const own = defaults.queueOf(connection);
    return { connection, queue: this.forwarded(requestedQueue ?? own, connection), requestedQueue };
  }

  #connectionFor(queue: string | null, preferred: string): string | undefined {
    if (queue === null || this.#on.size === 0) return undefined;
    if (this.#on.get(preferred)?.has(queue)) return preferred;
    for (const [connection, table] of this.#on) if (table.has(queue)) return connection;
    return undefined;
  }

  #next(queue: string, connection: string | undefined): string | undefined {
    return (connection === undefined ? undefined : this.#on.get(connection)?.get(queue)) ?? this.#everywhere.get(queue);
  }

  /** Whether following the forwards from `start` leads back to it, on any connection. */
  #circles(start: string): boolean {
    return [undefined, ...this.#on.keys()].some((connection) => {
      let name = start;
      for (;;) {
        const next = this.#next(name, connection);
        if (next === undefined || next === name) return false;
        if (next === start) return true;
        name = next;
      }
    });
  }
}
