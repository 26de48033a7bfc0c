import type { Backend, BackendContext, BackendFactory } from '../contracts/backend.js';
import type { BatchStore } from '../contracts/batch-store.js';
import type { ControlStore } from '../contracts/control-store.js';
import type { FailedJobStore } from '../contracts/failed-job-store.js';
import type { LockStore } from '../contracts/lock-store.js';
import type { RateLimiterStore } from '../contracts/rate-limiter-store.js';
import type { Clock } from '../support/clock.js';
import { describe, InvalidOptionError, QueueError } from '../support/queue-error.js';
import { asBackend } from './as-backend.js';
import type { ConnectionStage } from './connection-stage.js';
import { UnknownConnectionError, type ResolvedConnections } from './connection-config.js';
import { connectionsInUse, homeOf } from './connections-in-use.js';
import type { EventHub } from './event-hub.js';
import type { ResolvedOutbox } from './outbox-options.js';
import { QueueConnection } from './queue-connection.js';
import { QueueRoutes } from './queue-routes.js';
import { StoreHomes, type StoreKind } from './store-homes.js';

/** A connection was used after the module had closed its stores. */
export class ConnectionsClosedError extends QueueError {
  constructor(connection: string) {
    super(
      'ERR_QUEUE_CLOSED',
      `The [${connection}] queue connection was used after its module was closed. Await what dispatches before closing the app.`,
    );
  }
}

/** What a backend is told besides its options and its connection. */
export type BackendServices = Omit<BackendContext, 'connection' | 'dispatchTimeoutMs'>;

/** Loads what makes a driver's backends; a dynamic import keeps its packages out of processes that do not use it. */
export type DriverLoader = () => BackendFactory<any> | Promise<BackendFactory<any>>;

/** The connections of one module by name, and where it keeps everything that is not a queue. Opens nothing before it is used. */
export class ConnectionManager {
  readonly defaultName: string;
  /** Which queue a class goes to, and which names are forwarded. */
  readonly routes = new QueueRoutes();
  readonly clock: Clock;
  readonly #drivers: Map<string, DriverLoader>;
  readonly #connections = new Map<string, QueueConnection>();
  /** Backends of stores without a connection, by driver. */
  readonly #standalone = new Map<string, Promise<Backend>>();
  /** The databases that keep outboxes: one for all connections that name the same. */
  readonly #outboxes: (ResolvedOutbox & { readonly backend: Promise<Backend> })[] = [];
  readonly #homes: StoreHomes;
  readonly #made = new Map<string, Backend>();
  #closing: Promise<void> | undefined;

  constructor(
    private readonly config: ResolvedConnections,
    factories: ReadonlyMap<string, DriverLoader>,
    private readonly services: (connection: string) => BackendServices,
    private readonly hub: EventHub,
    private readonly staged?: { readonly stage: ConnectionStage; readonly builtIn: ReadonlySet<DriverLoader> },
  ) {
    this.defaultName = config.default;
    this.#drivers = new Map(factories);
    const { clock, warn } = services(config.default);
    this.clock = clock;
    this.#homes = new StoreHomes(
      config,
      (name) => this.get(name),
      (driver, options) => this.#alone(driver, options),
      warn,
    );
  }

  /** Default: the default connection. @throws UnknownConnectionError */
  get(name: string = this.defaultName): QueueConnection {
    let connection = this.#connections.get(name);
    if (!connection) this.#connections.set(name, (connection = this.#connect(name)));
    return connection;
  }

  names(): string[] {
    return [...this.config.connections.keys()];
  }

  /** Those that the module lives on, as far as its options tell. */
  inUse(): readonly string[] {
    return connectionsInUse(this.config);
  }

  /** The connection that keeps failed jobs or batches; `undefined` where none does. */
  homeOf(kind: 'failed' | 'batching'): string | undefined {
    return homeOf(this.config, kind);
  }

  /** False where the failed driver is null: what is recorded there is gone. */
  get keepsFailed(): boolean {
    return this.config.failed.kind !== 'null';
  }

  /**
   * Adds a driver, or takes another in its place. The factory gets the connection's options and its context, and answers with a driver or
   * a whole backend.
   *
   * @throws InvalidOptionError once a connection of that driver has been used
   */
  extend(driver: string, factory: (options: any, context: BackendContext) => unknown): void {
    if (typeof driver !== 'string' || driver === '')
      throw new InvalidOptionError(`extend() was given ${describe(driver)} as the driver's name. Give a text.`);
    if (typeof factory !== 'function')
      throw new InvalidOptionError(
        `extend("${driver}") was given ${describe(factory)}. Give a function that makes the driver.`,
      );
    for (const connection of this.#connections.values()) {
      if (connection.driver === driver && connection.used) {
        throw new InvalidOptionError(
          `extend("${driver}") came after the [${connection.name}] connection had been used. Call it before, in a constructor or onModuleInit().`,
        );
      }
    }
    this.#drivers.set(driver, () => factory as BackendFactory<any>);
  }

  /** @throws InvalidOptionError where the default connection, or a store that was asked for by name, has a driver that nobody brought */
  verifyDrivers(): void {
    const needed = [this.config.default];
    for (const kind of ['failed', 'batching', 'locks'] as const) {
      const store = this.config[kind];
      if (store.kind === 'connection') needed.push(store.connection);
      if (store.kind === 'driver' && !this.#drivers.has(store.driver)) throw notThere(kind, store.driver);
    }
    for (const name of needed) this.#loader(this.config.connections.get(name)!.driver, name);
  }

  /** Where failed jobs are recorded; a store that keeps nothing where they are switched off. */
  failed(): Promise<FailedJobStore> {
    return this.#homes.store('failed');
  }

  batches(): Promise<BatchStore> {
    return this.#homes.store('batches');
  }

  /** @param connection takes that connection's own store instead of the module's */
  locks(connection?: string): Promise<LockStore> {
    return connection === undefined ? this.#homes.store('locks') : this.#homes.of(connection, 'locks');
  }

  /** As `locks`, with the backend that they are a part of. */
  async lockHome(connection?: string): Promise<{ readonly store: LockStore; readonly backend: Backend }> {
    const store = await this.locks(connection);
    const backend = connection === undefined ? this.#homes.backend('locks')! : await this.get(connection).backend();
    return { store, backend };
  }

  /** As `batches`, with the backend that they are a part of. */
  async batchHome(): Promise<{ readonly store: BatchStore; readonly backend: Backend | undefined }> {
    const store = await this.batches();
    return { store, backend: this.#homes.backend('batches') };
  }

  /** Whether the write that settles a job of this connection counts it in its batch. False until both stores have been asked for. */
  countsMembers(connection: string): boolean {
    return this.sharesBackend('batches', connection) && this.#made.get(connection)?.atomic?.has('member') === true;
  }

  /** @param connection takes that connection's own store instead of the module's */
  limits(connection?: string): Promise<RateLimiterStore> {
    return connection === undefined ? this.#homes.store('limits') : this.#homes.of(connection, 'limits');
  }

  /** Pauses and restart marks: with the locks where those were given a connection, else as the rest. */
  control(): Promise<ControlStore> {
    return this.#homes.store('control');
  }

  /** Looks whether what a worker of this connection needs beside its queue can be used. @throws QueueError where no waiting mends it */
  checkStores(connection: string): Promise<void> {
    return this.#homes.check(['failed', 'control'], this.#made.get(connection));
  }

  /**
   * Whether a kind of record lives in the very store that keeps a connection's queues. Known once both have been asked for; false until
   * then, which is always safe: effects are then applied one by one.
   */
  sharesBackend(kind: StoreKind, connection: string): boolean {
    const backend = this.#homes.backend(kind);
    return backend !== undefined && backend === this.#made.get(connection);
  }

  /** Closes every store that was opened, once. A store that fails to close is named in the log and does not hold up the others. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const opened: [string, Promise<Backend>][] = [...this.#standalone];
    for (const { table, backend } of this.#outboxes) opened.push([table, backend]);
    for (const [name, connection] of this.#connections) if (connection.used) opened.push([name, connection.backend()]);
    await Promise.all(
      opened.map(async ([name, making]) => {
        let backend: Backend;
        try {
          backend = await making;
        } catch {
          // Never opened: whoever asked for it has been told why.
          return;
        }
        try {
          await backend.close();
        } catch (error) {
          this.services(name).warn(`The store of the [${name}] connection did not close: ${String(error)}`);
        }
      }),
    );
  }

  #connect(name: string): QueueConnection {
    const config = this.config.connections.get(name);
    if (!config) throw new UnknownConnectionError(name, this.names());
    const { hub, routes, clock } = this;
    const { dispatchTimeoutMs, maxPayload } = this.config;
    const open = async (): Promise<Backend> => {
      const backend = await this.#make(name, config.driver, config.options);
      this.#made.set(name, backend);
      return backend;
    };
    const { outbox } = config;
    const openOutbox = outbox && ((): Promise<Backend> => this.#outbox(name, outbox));
    return new QueueConnection(config, {
      open,
      ...(openOutbox && { openOutbox }),
      hub,
      routes,
      clock,
      dispatchTimeoutMs,
      maxPayload,
      ...(this.staged && { stage: this.staged.stage }),
    });
  }

  #outbox(connection: string, { dataSource, table }: ResolvedOutbox): Promise<Backend> {
    const found = this.#outboxes.find((one) => one.dataSource === dataSource && one.table === table);
    if (found) return found.backend;
    const options = { driver: 'database', dataSource, table, outbox: true };
    const made = { dataSource, table, backend: this.#make(`${connection} outbox`, 'database', options) };
    this.#outboxes.push(made);
    made.backend.catch(() => this.#outboxes.splice(this.#outboxes.indexOf(made), 1));
    return made.backend;
  }

  async #make(name: string, driver: string, options: Readonly<Record<string, unknown>>): Promise<Backend> {
    if (this.#closing) throw new ConnectionsClosedError(name);
    const loader = this.#loader(driver, name);
    const context: BackendContext = {
      ...this.services(name),
      connection: name,
      dispatchTimeoutMs: this.config.dispatchTimeoutMs,
    };
    const make = async (): Promise<Backend> => {
      const factory = await loader();
      // A factory of somebody's own may answer with a promise, whatever its type says.
      const made: unknown = factory(options, context);
      return asBackend(await made, driver);
    };
    if (!this.staged) return make();
    const { stage, builtIn } = this.staged;
    return stage.backend({ connection: name, driver, options, context, builtIn: builtIn.has(loader), make });
  }

  #loader(driver: string, name: string): DriverLoader {
    const found = this.#drivers.get(driver);
    if (found) return found;
    throw new InvalidOptionError(
      `The [${name}] connection has the driver "${driver}", which is not there. There are: ${[...this.#drivers.keys()].filter((one) => one !== STORE_ALONE).join(', ')}. Add your own by drivers: { ${driver}: … } or extend().`,
    );
  }

  #alone(driver: string, options: Readonly<Record<string, unknown>>): Promise<Backend> {
    const connection = this.config.connections.get(driver);
    // The memory connection and the memory fallback are one store.
    if (connection?.driver === driver) return this.get(driver).backend();
    let backend = this.#standalone.get(driver);
    if (!backend) {
      backend = this.#make(driver, driver, options);
      this.#standalone.set(driver, backend);
      backend.catch(() => this.#standalone.delete(driver));
    }
    return backend;
  }
}

/** The driver that keeps failed jobs and no queues. */
const STORE_ALONE = 'file';

function notThere(kind: string, driver: string): InvalidOptionError {
  const there = kind === 'failed' ? 'database, redis, file, memory and null' : 'database, redis and memory';
  return new InvalidOptionError(
    `${kind}.driver is "${driver}", which this version does not have. There are ${there}; bring your own by drivers: { ${driver}: … } or extend().`,
  );
}
