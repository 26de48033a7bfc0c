import type { JobEnvelope } from '../contracts/job-envelope.js';
import { namedUuid } from '../support/named-uuid.js';
import { CLOSURE } from './closure.js';
import type { EnvelopeSeals } from './envelope-seals.js';
import { SignatureError } from './envelope-signature.js';

/**
 * A job that is about to be sent again, with callbacks that are not those of its last failure: a store may remember their ids. The same
 * nonce gives the same ids. What is sealed is sealed anew; where that cannot be done here, it stays as it is.
 */
export function withFreshCallbacks(envelope: JobEnvelope, nonce: string, seals: EnvelopeSeals): JobEnvelope {
  const { chain, catch: own } = envelope;
  if (!chain?.catch && !own) return envelope;
  const renew = (jobs: readonly JobEnvelope[]): readonly JobEnvelope[] =>
    jobs.map((one) => withFreshIds(one, nonce, seals));
  return {
    ...envelope,
    ...(chain?.catch && { chain: { ...chain, catch: renew(chain.catch) } }),
    ...(own && { catch: renew(own) }),
  };
}

/** The same for a job of which another is made: its own id is a fresh one too. */
export function withFreshIds(envelope: JobEnvelope, nonce: string, seals: EnvelopeSeals): JobEnvelope {
  const uuid = namedUuid(envelope.uuid, nonce);
  const { chain, catch: own, data, middleware, name, displayName } = envelope;
  const each = (jobs: readonly JobEnvelope[]): readonly JobEnvelope[] =>
    jobs.map((one) => withFreshIds(one, nonce, seals));
  try {
    const changed: JobEnvelope = {
      ...envelope,
      uuid,
      ...(typeof data === 'string' && {
        data: seals.seal(seals.open(envelope, envelope.uuid), { uuid, name }, displayName),
      }),
      ...(typeof middleware === 'string' && {
        middleware: seals.seal(
          seals.openMiddleware(envelope, envelope.uuid),
          { uuid, name, part: 'middleware' },
          displayName,
        ),
      }),
      ...(name === CLOSURE && { data: movedClosure(envelope, uuid, seals) }),
      ...(own && { catch: each(own) }),
      ...(chain && { chain: { ...chain, rest: each(chain.rest), ...(chain.catch && { catch: each(chain.catch) }) } }),
    };
    return seals.resigned(envelope, envelope.uuid, changed);
  } catch {
    return envelope;
  }
}

/** The source of a closure is signed for one job. A process that runs none cannot sign one either. */
function movedClosure(envelope: JobEnvelope, uuid: string, { sources }: EnvelopeSeals): object {
  if (!sources) throw new SignatureError(`${envelope.displayName} is a closure, and this process signs none.`);
  return sources.moved(envelope, uuid);
}
