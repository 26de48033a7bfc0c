import type { ConnectionManager } from '../connections/connection-manager.js';
import type { Outgoing, QueueConnection } from '../connections/queue-connection.js';
import type { DispatchReceipt } from '../contracts/dispatchable.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { writeEnvelope, type PayloadHook } from '../job/envelope-writer.js';
import { definitionOfJob, type JobDefinition } from '../job/job-definition.js';
import { readName } from '../job/job-policies.js';
import type { PayloadCodec } from '../job/payload-codec.js';
import { fluentOptions, type FluentOptions } from '../job/queueable.js';
import type { Clock } from '../support/clock.js';
import { delayMs } from '../support/duration.js';
import { timeOrderedUuid } from '../support/time-ordered-uuid.js';

/** What one dispatch says, over what the job says. */
export interface DispatchOptions extends FluentOptions {
  /** An EntityManager: the job is stored in its transaction. */
  readonly within?: unknown;
}

export interface PreparationServices {
  readonly connections: ConnectionManager;
  readonly codec: PayloadCodec;
  readonly hooks: () => readonly PayloadHook[];
  readonly clock: Clock;
  /** Told of every class that is dispatched, so that one nobody here runs can be pointed out. */
  readonly dispatching: (definition: JobDefinition) => void;
}

/** A job on its way: where it goes, and what is handed over there. */
export interface Prepared {
  readonly connection: QueueConnection;
  readonly outgoing: Outgoing;
  readonly receipt: DispatchReceipt;
  /** Whether it waits for the open transaction, where there is one. */
  readonly afterCommit: boolean;
}

/**
 * Looks where a job goes and writes it down.
 *
 * @throws whatever is wrong with the job or where it should go, before anything is stored
 */
export function prepareDispatch(job: object, options: DispatchOptions, services: PreparationServices): Prepared {
  const definition = definitionOfJob(job);
  services.dispatching(definition);
  const said: DispatchOptions = { ...fluentOptions(job), ...options };
  const to = services.connections.routes.resolve(
    {
      type: definition.type,
      connection: said.connection ?? readName(job, 'connection', definition) ?? definition.connection,
      queue: said.queue ?? readName(job, 'queue', definition) ?? definition.queue,
    },
    {
      connection: services.connections.defaultName,
      queueOf: (name) => services.connections.get(name).defaultQueue,
    },
  );
  const connection = services.connections.get(to.connection);
  const now = services.clock.now();
  const delay = said.delay === undefined ? definition.delay : said.delay;
  const delayInMs = delay === undefined || delay === null ? 0 : delayMs(delay, `${definition.type.name}: delay`, now);
  const uuid = timeOrderedUuid(now);
  const envelope = writeEnvelope(
    job,
    definition,
    { uuid, now, connection: to.connection, queue: to.queue },
    services.codec,
    services.hooks(),
  );
  return {
    connection,
    afterCommit: said.afterCommit ?? definition.afterCommit ?? connection.afterCommit,
    receipt: { id: uuid, connection: to.connection, queue: to.queue },
    outgoing: {
      job,
      entry: { id: uuid, queue: to.queue, body: JSON.stringify(envelope), delayMs: delayInMs },
      requestedQueue: to.requestedQueue,
      delaySeconds: delay === undefined || delay === null ? null : delayInMs / 1_000,
    },
  };
}

/** A job as it is run in this process: written down and read back, as it would be anywhere else. */
export function prepareInProcess(job: object, connection: string, services: PreparationServices): ReservedJob {
  const definition = definitionOfJob(job);
  const { clock, codec, hooks } = services;
  const now = clock.now();
  const to = { uuid: timeOrderedUuid(now), now, connection, queue: connection };
  const body = JSON.stringify(writeEnvelope(job, definition, to, codec, hooks()));
  return { id: to.uuid, queue: connection, body, priority: 0, attempts: 1, stalls: 0, token: '', leasedUntil: 0 };
}
