import { createHmac, timingSafeEqual } from 'node:crypto';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import { QueueError } from '../support/queue-error.js';
import type { KeyRing } from './key-ring.js';

/** A job whose signature is missing where there must be one, or is not its own. */
export class SignatureError extends QueueError {
  constructor(message: string) {
    super('ERR_QUEUE_SIGNATURE', message);
  }
}

/** The only form there is: the text names no algorithm that somebody could choose. */
const SCHEME = 'v1';
const SIGNATURE = /^v1\.([A-Za-z0-9_.-]{1,64})\.[A-Za-z0-9_-]{43}$/;

/**
 * The envelope with its signature: HMAC-SHA-256 over everything in it, nested jobs included. A signature that it had is replaced.
 * Everything that belongs to the envelope must be there by now.
 */
export function signEnvelope(envelope: JobEnvelope, ring: KeyRing): JobEnvelope {
  const { signature: _before, ...rest } = envelope;
  return { ...rest, signature: signatureOf(envelope, ring.current, ring)! };
}

/**
 * Why a signature does not hold; `undefined` where it does. It has to be this envelope's, and the envelope that of the job `id`: a signed
 * body must not run a second time under another id.
 */
export function signatureFault(
  envelope: JobEnvelope,
  id: string,
  ring: KeyRing | undefined,
): SignatureError | undefined {
  const shown = envelope.displayName;
  const given = envelope.signature!;
  const kid = SIGNATURE.exec(given)?.[1];
  if (kid === undefined) {
    return new SignatureError(
      `${shown} has a signature that is not what this package writes. It was not run; its bytes are kept.`,
    );
  }
  const expected = ring && signatureOf(envelope, kid, ring);
  if (expected === undefined) {
    return new SignatureError(
      ring
        ? `${shown} is signed under the key "${kid}", which this process does not have. Add it to QueueModule's key.keys, then retry the job.`
        : `${shown} is signed, and QueueModule has no key in this process. Set the option key (QUEUE_KEY), then retry the job.`,
    );
  }
  if (!sameText(given, expected)) {
    return new SignatureError(
      `The signature of ${shown} does not hold: the job was changed after it was written, or signed under another key of the id "${kid}". It was not run; its bytes are kept.`,
    );
  }
  if (envelope.uuid !== id) {
    return new SignatureError(
      `The body of ${shown} was signed for a job of another id than the one it stood under. It was not run; its bytes are kept.`,
    );
  }
  return undefined;
}

function signatureOf(envelope: JobEnvelope, kid: string, ring: KeyRing): string | undefined {
  const key = ring.subKey(kid, 'payload-mac');
  if (!key) return undefined;
  const { signature: _own, ...signed } = envelope;
  // Written by JSON.stringify and read by JSON.parse, an envelope has one text, whichever side makes it.
  const mac = createHmac('sha256', key).update(`nestjs-queue envelope ${SCHEME}\n${kid}\n${JSON.stringify(signed)}`);
  return `${SCHEME}.${kid}.${mac.digest('base64url')}`;
}

/** In a time that does not tell how much of it is right. */
function sameText(one: string, other: string): boolean {
  const a = Buffer.from(one, 'utf8');
  const b = Buffer.from(other, 'utf8');
  return a.length === b.length && timingSafeEqual(a, b);
}
