import type { Attributes } from '@opentelemetry/api';
import type { AttemptReport, Processing, PublishAnswer, Publishing } from '../contracts/telemetry.js';

/*
 * The names are those of OpenTelemetry's semantic conventions for messaging, which are still being developed; `nestjs_queue.*` is for
 * what they have no name for.
 */
const SYSTEM = { 'messaging.system': 'nestjs_queue' };

/** What is known before jobs are sent: a sampler sees it. What is `undefined` is left out by whoever makes the span. */
export function publishAttributes({ kind, connection, driver, queue, id, name }: Publishing): Attributes {
  return {
    ...SYSTEM,
    'messaging.operation.name': 'publish',
    'messaging.operation.type': 'send',
    'messaging.destination.name': queue,
    'nestjs_queue.connection': connection,
    'nestjs_queue.driver': driver,
    ...(kind === 'job' && { 'messaging.message.id': id, 'nestjs_queue.job.name': name }),
    ...(kind === 'batch' && { 'nestjs_queue.batch.id': id, 'nestjs_queue.batch.name': name || undefined }),
  };
}

/** What is known when the store has answered. */
export function publishedAttributes({ kind }: Publishing, { jobs, skipped, error }: PublishAnswer): Attributes {
  return {
    ...(kind !== 'job' && { 'messaging.batch.message_count': jobs }),
    ...(skipped && { 'nestjs_queue.dispatch.skipped': true }),
    ...(error !== undefined && { 'error.type': errorType(error) }),
  };
}

/** What is known before an attempt. */
export function processAttributes({ job, driver, inProcess }: Processing): Attributes {
  return {
    ...SYSTEM,
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': job.queue,
    'messaging.message.id': job.id,
    'nestjs_queue.connection': job.connection,
    'nestjs_queue.driver': driver,
    'nestjs_queue.job.name': job.name || undefined,
    'nestjs_queue.job.attempt': job.attempts,
    'nestjs_queue.batch.id': job.batchId,
    ...(inProcess && { 'nestjs_queue.job.in_process': true }),
  };
}

/** What is known when the store has accepted how an attempt ended. */
export function processedAttributes({ outcome, error, delay, timedOutAfter }: AttemptReport): Attributes {
  return {
    'nestjs_queue.job.outcome': outcome,
    'nestjs_queue.job.delay': delay,
    'nestjs_queue.job.timeout': timedOutAfter,
    ...(isFailure({ outcome, error }) && { 'error.type': error === undefined ? outcome : errorType(error) }),
  };
}

/** A worker that had to end is nobody's failure, and neither is a job that goes back by its own wish. */
export function isFailure({ outcome, error }: AttemptReport): boolean {
  return outcome === 'failed' || outcome === 'lease_lost' || (error !== undefined && outcome !== 'handed_on');
}

/** A stable code where there is one, else the name of the class. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return '_OTHER';
  const { code } = error as { readonly code?: unknown };
  if (typeof code === 'string' && code !== '') return code;
  return error.name !== '' && error.name !== 'Error' ? error.name : error.constructor.name;
}
