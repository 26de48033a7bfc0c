import type { ConnectionManager } from '../connections/connection-manager.js';
import type { SchemaAbility, SchemaKind } from '../contracts/backend.js';
import { InvalidOptionError, QueueError } from '../support/queue-error.js';

/** What an installation did on one connection. */
export interface InstalledSchema {
  readonly connection: string;
  readonly kind: SchemaKind;
  /** Without credentials. */
  readonly store: string;
  /** The tables by which the parts are known that were created or updated; none where all was up to date. */
  readonly applied: readonly string[];
}

/** The connections with tables that the module lives on. */
export function connectionsWithTables(connections: ConnectionManager): readonly string[] {
  return connections.inUse().filter((name) => connections.get(name).driver === 'database');
}

/** The same, and those that keep an outbox in the application's database. */
export function connectionsToInstall(connections: ConnectionManager): readonly string[] {
  return connections.inUse().filter((name) => {
    const { driver, outbox } = connections.get(name);
    return driver === 'database' || outbox !== undefined;
  });
}

/**
 * Creates what is missing of a connection's tables and updates what is older. Processes that do it at once do it once.
 *
 * @throws InvalidOptionError where the store has no tables, UnknownConnectionError
 */
export async function installSchema(connections: ConnectionManager, name?: string): Promise<InstalledSchema> {
  const { connection, schema } = await schemaOf(connections, name);
  const { applied } = await schema.install();
  return { connection, kind: schema.kind, store: schema.store, applied };
}

/** A connection's tables, or those of its outbox, as somebody else may make them. @throws as `installSchema` */
export async function schemaOf(
  connections: ConnectionManager,
  name?: string,
): Promise<{ readonly connection: string; readonly schema: SchemaAbility }> {
  const connection = connections.get(name);
  const { schema } = await (connection.outbox ?? connection).backend();
  if (!schema) {
    throw new InvalidOptionError(
      `The [${connection.name}] connection has no tables: its driver is ${connection.driver}. Name a connection with the driver database.`,
    );
  }
  return { connection: connection.name, schema };
}

/** Resolves when the store answers, whatever it says of its tables. */
export async function storeAnswers(connections: ConnectionManager, name: string): Promise<void> {
  try {
    const connection = connections.get(name);
    await (connection.outbox ?? connection).check();
  } catch (error) {
    if (!(error instanceof QueueError) || error.code !== 'ERR_QUEUE_SCHEMA') throw error;
  }
}
