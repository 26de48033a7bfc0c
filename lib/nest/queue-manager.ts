import type { Type } from '@nestjs/common';
import type { ConnectionManager } from '../connections/connection-manager.js';
import type { EventHub } from '../connections/event-hub.js';
import type { QueueConnection } from '../connections/queue-connection.js';
import {
  JobExceptionOccurred,
  JobFailed,
  JobProcessed,
  JobProcessing,
  Looping,
  WorkerStarting,
  WorkerStopping,
  type QueueEventType,
} from '../contracts/queue-events.js';
import type { PayloadHook } from '../job/payload-hooks.js';
import { monitorQueues, type MonitoredQueue } from '../operations/monitor-queues.js';
import {
  isQueuePaused,
  pauseAllQueues,
  pauseConnection,
  pausedQueues,
  pauseQueue,
  type ControlServices,
} from '../operations/pause-queue.js';
import { restartWorkers, type RestartTarget } from '../operations/restart-workers.js';
import { resumeAllQueues, resumeConnection, resumeQueue } from '../operations/resume-queue.js';
import type { Duration } from '../support/duration.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** Takes a listener off again. */
type Off = () => void;

/** The module's connections, hooks, routes and pauses. */
export class QueueManager {
  private readonly services: ControlServices;

  constructor(
    private readonly connections: ConnectionManager,
    private readonly hub: EventHub,
    private readonly payloadHooks: PayloadHook[],
  ) {
    this.services = { connections, hub };
  }

  /** A connection by name; the default one without. @throws UnknownConnectionError */
  connection(name?: string): QueueConnection {
    return this.connections.get(name);
  }

  /**
   * Adds a driver, before a connection that has it is first used.
   *
   * @param factory given the connection's options; gives a QueueDriver, or a Backend with stores of its own
   */
  extend(driver: string, factory: (options: any) => unknown): void {
    this.connections.extend(driver, factory);
  }

  /** Listens to events of one class. Returns what takes the listener off again. What it throws is logged and changes nothing. */
  on<E>(event: { event: string; new (...args: any[]): E }, listener: (event: E) => unknown): Off {
    return this.hub.on(event as QueueEventType<E & object>, listener);
  }

  /** Before each attempt. */
  before(listener: (event: JobProcessing) => unknown): Off {
    return this.on(JobProcessing, listener);
  }

  /** After each attempt whose handler returned. */
  after(listener: (event: JobProcessed) => unknown): Off {
    return this.on(JobProcessed, listener);
  }

  /** When a job has failed for good. */
  failing(listener: (event: JobFailed) => unknown): Off {
    return this.on(JobFailed, listener);
  }

  exceptionOccurred(listener: (event: JobExceptionOccurred) => unknown): Off {
    return this.on(JobExceptionOccurred, listener);
  }

  /** Before each look for jobs; answering `false` skips it. */
  looping(listener: (event: Looping) => unknown): Off {
    return this.on(Looping, listener);
  }

  starting(listener: (event: WorkerStarting) => unknown): Off {
    return this.on(WorkerStarting, listener);
  }

  stopping(listener: (event: WorkerStopping) => unknown): Off {
    return this.on(WorkerStopping, listener);
  }

  /**
   * Where the jobs of a class, and of its subclasses, go that do not say so themselves.
   *
   * @throws InvalidOptionError, InvalidQueueNameError, UnknownConnectionError
   */
  route(job: Type, to: { connection?: string; queue?: string }): void {
    if (to.connection !== undefined) this.connections.get(to.connection);
    this.connections.routes.route(job, to);
  }

  /**
   * Gives a queue another name wherever one is looked up: dispatch, worker, size, clear, inspection, pause. On all connections, or on
   * one, to which jobs then go that name the queue and no connection.
   *
   * @throws InvalidOptionError where forwards would lead back to their start; InvalidQueueNameError, UnknownConnectionError
   */
  forward(queue: string, to: string, connection?: string): void {
    if (connection !== undefined) this.connections.get(connection);
    this.connections.routes.forward(queue, to, connection);
  }

  /** Nothing is taken from the queue until it is resumed; what runs goes on. */
  pause(connection: string, queue: string): Promise<void> {
    return pauseQueue(this.services, { connection, queue });
  }

  /** As `pause()`, and ends by itself after `ttl`: seconds, or '5m'. A later pause of the same queue replaces the time. */
  pauseFor(connection: string, queue: string, ttl: Duration): Promise<void> {
    return pauseQueue(this.services, { connection, queue }, ttl);
  }

  /** Pauses every queue of one connection, until `resumeConnection()` or for `ttl`. Single pauses stay as they are. */
  pauseConnection(connection: string, ttl?: Duration): Promise<void> {
    return pauseConnection(this.services, connection, ttl);
  }

  /** Pauses every queue of every connection, until `resumeAll()` or for `ttl`. Other pauses stay as they are. */
  pauseAll(ttl?: Duration): Promise<void> {
    return pauseAllQueues(this.services, ttl);
  }

  resume(connection: string, queue: string): Promise<void> {
    return resumeQueue(this.services, { connection, queue });
  }

  /** Takes back `pauseConnection()`. */
  resumeConnection(connection: string): Promise<void> {
    return resumeConnection(this.services, connection);
  }

  /** Takes back `pauseAll()`. */
  resumeAll(): Promise<void> {
    return resumeAllQueues(this.services);
  }

  /** Whether the queue is paused: by itself, with its connection, or with all. */
  isPaused(connection: string, queue: string): Promise<boolean> {
    return isQueuePaused(this.services, { connection, queue });
  }

  /** Those of the queues that are paused, however that came about. */
  pausedQueues(connection: string, queues: readonly string[]): Promise<readonly string[]> {
    return pausedQueues(this.services, connection, queues);
  }

  /**
   * Tells every worker to end after its jobs, for its process manager to start it anew; or those of one connection, or of one of its
   * queues.
   */
  restartWorkers(target?: RestartTarget): Promise<void> {
    return restartWorkers(this.connections, target);
  }

  /** Sizes of queues named 'queue' or 'connection:queue'; raises QueueBusy for each that holds `max` (1000) jobs or more. */
  monitor(queues: readonly string[], max?: number): Promise<readonly MonitoredQueue[]> {
    return monitorQueues(this.services, queues, max);
  }

  /**
   * Adds to every payload that is written from now on what `hook` returns: an object of JSON values, under `extra` in
   * `context.payload`. Hooks see what earlier ones added. `null` takes all of them off. A hook that throws, or returns something
   * else, keeps the job from being sent (PayloadHookError).
   */
  createPayloadUsing(hook: PayloadHook | null): void {
    if (hook === null) {
      this.payloadHooks.length = 0;
      return;
    }
    if (typeof hook !== 'function') {
      throw new InvalidOptionError(
        `createPayloadUsing() was given ${describe(hook)}. Give a function, or null to take all of them off.`,
      );
    }
    this.payloadHooks.push(hook);
  }
}
