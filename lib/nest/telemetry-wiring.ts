import { DispatchTraces } from '../bus/dispatch-traces.js';
import type { EventHub } from '../connections/event-hub.js';
import type { QueueConnection } from '../connections/queue-connection.js';
import type { QueueTelemetry } from '../contracts/telemetry.js';
import { AttemptTraces } from '../worker/attempt-traces.js';
import { guardedTelemetry } from './guarded-telemetry.js';

/** What traces the jobs of a module. Everything in it is absent where it was given no telemetry. */
export interface WiredTelemetry {
  readonly attempts?: AttemptTraces;
  readonly dispatches?: DispatchTraces;
}

export function wireTelemetry(
  given: QueueTelemetry | undefined,
  hub: EventHub,
  connectionOf: (name: string) => QueueConnection,
  report: (message: string, error: unknown) => void,
): WiredTelemetry {
  if (!given) return {};
  const telemetry = guardedTelemetry(given, report);
  return {
    attempts: new AttemptTraces(telemetry, connectionOf, hub),
    dispatches: new DispatchTraces(telemetry),
  };
}
