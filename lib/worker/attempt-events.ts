import type { EventHub } from '../connections/event-hub.js';
import {
  JobAttempted,
  JobExceptionOccurred,
  JobFailed,
  JobLeaseLost,
  JobProcessed,
  JobReleased,
  JobReleasedAfterException,
  JobTimedOut,
} from '../contracts/queue-events.js';
import type { AttemptEnd } from './running-attempt.js';
import { LeaseLostError, WorkerStoppingError } from './worker-errors.js';

/** What is known before the store is asked. */
export function raiseEnded(end: AttemptEnd, hub: EventHub): void {
  const { restored } = end.context;
  if (restored) restored(ended, end, hub);
  else ended(end, hub);
}

function ended(end: AttemptEnd, hub: EventHub): void {
  const { context, outcome, thrown } = end;
  if (end.timedOutAfter !== undefined)
    hub.emit(new JobTimedOut(context.connection, context, end.timedOutAfter / 1_000));
  if (thrown && outcome.kind !== 'failed' && hub.heard(JobExceptionOccurred)) {
    hub.emit(new JobExceptionOccurred(context.connection, context, thrown.error));
  }
}

/** What the store's acceptance makes true: Laravel's order of events, but behind the store's answer. */
export function raiseAccepted(end: AttemptEnd, hub: EventHub): void {
  const { restored } = end.context;
  if (restored) restored(accepted, end, hub);
  else accepted(end, hub);
}

function accepted(end: AttemptEnd, hub: EventHub): void {
  const { context, outcome, thrown } = end;
  const connection = context.connection;
  if (end.handedOn) {
    // Its handler has not returned, and nothing is held against it.
    hub.emit(new JobReleased(connection, context, 0));
    return raiseAttempted(end, hub, new WorkerStoppingError(), false);
  }
  if (outcome.kind === 'failed') {
    hub.emit(new JobFailed(connection, context, outcome.error));
    hub.emit(
      thrown ? new JobExceptionOccurred(connection, context, thrown.error) : new JobProcessed(connection, context),
    );
  } else if (outcome.kind === 'retry') {
    const seconds = outcome.delayMs / 1_000;
    if (outcome.error === undefined) {
      if (!thrown) hub.emit(new JobProcessed(connection, context));
      hub.emit(new JobReleased(connection, context, seconds));
    } else {
      hub.emit(new JobReleasedAfterException(connection, context, seconds, outcome.error));
    }
  } else if (!thrown && hub.heard(JobProcessed)) {
    hub.emit(new JobProcessed(connection, context));
  }
  raiseAttempted(end, hub, thrown ? thrown.error : null, outcome.kind === 'failed');
}

/** The store refused: the job is someone else's by now, or gone. */
export function raiseRefused(end: AttemptEnd, hub: EventHub, reason: 'lease-lost' | 'cancelled'): void {
  const { restored } = end.context;
  if (restored) restored(refused, end, hub, reason);
  else refused(end, hub, reason);
}

function refused(end: AttemptEnd, hub: EventHub, reason: 'lease-lost' | 'cancelled'): void {
  const { context } = end;
  hub.emit(new JobLeaseLost(context.connection, context));
  raiseAttempted(end, hub, end.thrown?.error ?? new LeaseLostError(context.displayName, reason), true);
}

function raiseAttempted(end: AttemptEnd, hub: EventHub, error: unknown, failed: boolean): void {
  if (hub.heard(JobAttempted)) hub.emit(new JobAttempted(end.context.connection, end.context, error, failed));
}
