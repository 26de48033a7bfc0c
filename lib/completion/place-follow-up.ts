import type { ConnectionManager } from '../connections/connection-manager.js';
import type { Outgoing } from '../connections/outgoing.js';
import type { QueueConnection } from '../connections/queue-connection.js';
import type { JobChain, JobEnvelope } from '../contracts/job-envelope.js';
import type { EnvelopeSeals } from '../job/envelope-seals.js';
import { SignatureError } from '../job/envelope-signature.js';
import { shortened } from './failure-cause.js';
import type { Waiting } from './next-in-chain.js';

export interface FollowUpServices {
  readonly connections: ConnectionManager;
  readonly seals: EnvelopeSeals;
  /** What it carries of the trace that sends it. Absent where nothing is traced. */
  readonly trace?: (() => JobEnvelope['trace']) | undefined;
  /** As for a retry by hand: what the job says now about until when it may be tried. */
  readonly refreshRetryUntil: (envelope: JobEnvelope) => Promise<number | undefined>;
  /** The job as queue events show it; asked for only where somebody hears them. */
  readonly shown: (envelope: JobEnvelope) => Promise<object>;
}

/** A job that follows another, and where it goes. */
export interface FollowUp {
  readonly envelope: JobEnvelope;
  readonly connection: QueueConnection;
  readonly outgoing: Outgoing;
  /** What is still to be done once it is stored. Never rejects. */
  readonly stored?: () => Promise<void>;
}

/**
 * Makes an envelope that waited inside another ready to be pushed: its own place, else the chain's, else the default one; its delay and
 * the moment until which it may be tried count from now.
 *
 * @throws QueueError for a place that there is not, and for a body that its store does not take: no waiting mends it
 */
export async function placeFollowUp(
  { written, envelope: waiting }: Waiting,
  chain: Pick<JobChain, 'connection' | 'queue'>,
  heard: boolean,
  services: FollowUpServices,
): Promise<FollowUp> {
  const { connections } = services;
  const { target = {} } = waiting;
  const to = connections.routes.resolve(
    { connection: target.connection ?? chain.connection, queue: target.queue ?? chain.queue },
    { connection: connections.defaultName, queueOf: (name) => connections.get(name).defaultQueue },
  );
  const connection = connections.get(to.connection);
  const now = connections.clock.now();
  const delayMs = target.dueAt === undefined ? (target.delayMs ?? 0) : Math.max(0, target.dueAt - now);
  const retryUntil = await retryUntilOf(waiting, now, services);
  const { target: _used, retryUntil: _before, ...job } = waiting;
  const trace = services.trace?.();
  // It was written when the chain was: from then on it could not be taken.
  const dueAt = now + delayMs;
  const envelope = { ...job, dueAt, ...(retryUntil !== undefined && { retryUntil }), ...(trace && { trace }) };
  const outgoingOf = (one: JobEnvelope, shown: object): Outgoing => ({
    job: shown,
    entry: {
      id: waiting.uuid,
      queue: to.queue,
      body: JSON.stringify(resealed(written, one, services.seals)),
      delayMs,
      ...(target.priority !== undefined && { priority: target.priority }),
    },
    requestedQueue: to.requestedQueue,
    delaySeconds: delayMs > 0 ? delayMs / 1_000 : null,
  });
  const shown = heard ? await services.shown(envelope) : envelope;
  let outgoing = outgoingOf(envelope, shown);
  let refusal = connection.refusal(outgoing);
  if (refusal && envelope.cause) {
    outgoing = outgoingOf({ ...envelope, cause: shortened(envelope.cause) }, shown);
    refusal = connection.refusal(outgoing);
  }
  if (refusal) throw refusal;
  return { envelope, connection, outgoing };
}

async function retryUntilOf(
  { target, ...envelope }: JobEnvelope,
  now: number,
  services: FollowUpServices,
): Promise<number | undefined> {
  if (envelope.retryUntil === undefined) return undefined;
  // A job that cannot be asked here keeps the span that it was written with.
  const asked = await services.refreshRetryUntil(envelope).catch(() => undefined);
  return asked ?? (target?.retryForMs === undefined ? envelope.retryUntil : now + target.retryForMs);
}

/** Signed anew where it was signed. One whose signature does not hold goes on as it is: whoever picks it up refuses and records it. */
export function resealed(written: JobEnvelope, changed: JobEnvelope, seals: EnvelopeSeals): JobEnvelope {
  try {
    return seals.resigned(written, written.uuid, changed);
  } catch (error) {
    if (error instanceof SignatureError) return changed;
    throw error;
  }
}
