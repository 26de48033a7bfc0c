import type { FailureCause, JobChain, JobEnvelope } from '../contracts/job-envelope.js';
import type { Following } from '../job/job-context.js';

/** A job whose turn has come. */
export interface Waiting {
  /** As it was written, inside the job that it follows. */
  readonly written: JobEnvelope;
  /** As it goes on. */
  readonly envelope: JobEnvelope;
}

/**
 * The step that comes next, with everything that is to come behind it. A callback of the step's own holds from there on, in front of
 * those of the whole chain.
 *
 * @returns `undefined` at the end of the chain
 */
export function nextInChain(
  { chain }: Pick<JobEnvelope, 'chain'>,
  following: Following | undefined,
): Waiting | undefined {
  if (following?.ends) return undefined;
  const [written, ...rest] = [...(following?.prepended ?? []), ...(chain?.rest ?? []), ...(following?.appended ?? [])];
  if (!written) return undefined;
  const { catch: own = [], chain: _none, ...next } = written;
  const callbacks = [...own, ...(chain?.catch ?? [])];
  if (rest.length === 0 && callbacks.length === 0) return { written, envelope: next };
  const behind: JobChain = { rest, ...(callbacks.length > 0 && { catch: callbacks }), ...placeOf(chain) };
  return { written, envelope: { ...next, chain: behind } };
}

/** What is sent when a job has failed for good: each callback with the error. */
export function callbacksOf(envelope: Pick<JobEnvelope, 'chain' | 'catch'>, cause: FailureCause): readonly Waiting[] {
  const callbacks = [...(envelope.catch ?? []), ...(envelope.chain?.catch ?? [])];
  return callbacks.map((written) => ({ written, envelope: { ...written, cause } }));
}

/** Where the jobs of a chain go that do not say so themselves. */
export function placeOf(chain: JobChain | undefined): Pick<JobChain, 'connection' | 'queue'> {
  return {
    ...(chain?.connection !== undefined && { connection: chain.connection }),
    ...(chain?.queue !== undefined && { queue: chain.queue }),
  };
}
