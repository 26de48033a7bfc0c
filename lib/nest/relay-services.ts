import { randomUUID } from 'node:crypto';
import type { ConnectionManager } from '../connections/connection-manager.js';
import type { EventHub } from '../connections/event-hub.js';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { PushEntry } from '../contracts/queue-driver.js';
import { UniqueJobSkipped } from '../contracts/queue-events.js';
import { AttemptContext, type AttemptServices } from '../job/job-context.js';
import type { JobRegistry, RegisteredJob } from '../job/job-registry.js';
import type { Clock } from '../support/clock.js';
import type { RelayServices } from '../worker/outbox-relay.js';

interface Parts {
  readonly connections: ConnectionManager;
  readonly hub: EventHub;
  readonly clock: Clock;
  readonly registry: JobRegistry;
  readonly attempts: AttemptServices;
  readonly read: (body: string) => JobEnvelope;
  readonly revive: (registered: RegisteredJob, envelope: JobEnvelope, context: JobContext) => object | Promise<object>;
  readonly report: (message: string, error: unknown) => void;
}

/** What the relay of each connection with an outbox works with. */
export function relayServices(parts: Parts): RelayServices[] {
  const { connections, clock, report } = parts;
  return connections.names().flatMap((name) => {
    const connection = connections.get(name);
    const { outbox } = connection;
    if (!outbox) return [];
    return {
      connection,
      outbox,
      clock,
      push: (entries) => connection.pushEntries(entries),
      skipped: (entry) => void tellSkipped(entry, connection.name, parts),
      report,
    };
  });
}

/** As a dispatch would. Of a class that this process does not know there is nobody here to be told about. Never rejects. */
async function tellSkipped(entry: PushEntry, connection: string, parts: Parts): Promise<void> {
  if (!parts.hub.heard(UniqueJobSkipped)) return;
  try {
    const envelope = parts.read(entry.body);
    const registered = parts.registry.find(envelope.name);
    if (!registered) return;
    const reserved = { ...entry, priority: 0, attempts: 0, stalls: 0, token: randomUUID(), leasedUntil: 0 };
    const context = new AttemptContext(connection, reserved, envelope, parts.attempts);
    parts.hub.emit(new UniqueJobSkipped(await parts.revive(registered, envelope, context)));
  } catch (error) {
    parts.report(`A unique job [${entry.id}] was left out, and its listeners cannot be told`, error);
  }
}
