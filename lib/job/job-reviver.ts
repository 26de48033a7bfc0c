import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { JobMiddleware } from '../contracts/job-middleware.js';
import type { JobDefinition } from './job-definition.js';
import { UNSEALED, type EnvelopeSeals } from './envelope-seals.js';
import { SignatureError } from './envelope-signature.js';
import { EntityMissingError, InvalidPayloadError } from './payload-errors.js';
import type { PayloadCodec } from './payload-codec.js';
import { DecryptionError } from './payload-seal.js';
import { attachContext } from './queueable.js';
import { readThrough } from './through.js';

/**
 * Brings a job back as its handler sees it: its fields on an instance whose constructor was not run, its context attached. At once
 * unless entities have to be fetched. What was encrypted is opened on the way; the envelope stays sealed.
 *
 * @throws InvalidPayloadError, EntityMissingError, DecryptionError
 */
export function reviveJob(
  definition: JobDefinition,
  envelope: JobEnvelope,
  context: JobContext,
  codec: PayloadCodec,
  seals: EnvelopeSeals = UNSEALED,
): object | Promise<object> {
  if (typeof envelope.data === 'string' || envelope.encrypted) {
    return unquoted(envelope.displayName, () => revived(definition, seals.open(envelope, context.id), context, codec));
  }
  return revived(definition, envelope.data, context, codec);
}

/**
 * Brings back what `through()` took. At once unless entities have to be fetched or it is encrypted.
 *
 * @throws InvalidPayloadError, EntityMissingError, DecryptionError
 */
export function reviveThrough(
  envelope: JobEnvelope,
  id: string,
  codec: PayloadCodec,
  seals: EnvelopeSeals = UNSEALED,
): readonly JobMiddleware[] | Promise<readonly JobMiddleware[]> {
  const { middleware = [], encrypted, displayName } = envelope;
  if (typeof middleware !== 'string' && !encrypted) return readThrough(middleware, codec);
  return unquoted(displayName, () => readThrough(seals.openMiddleware(envelope, id), codec));
}

/** Nothing of what is in an encrypted job must get into an error: those are logged and recorded. */
async function unquoted<T>(displayName: string, open: () => T | Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof EntityMissingError) throw error.withoutId();
    // Whoever caused it, a fromJSON() for one, may have quoted what it was given.
    if (error instanceof InvalidPayloadError && error.cause !== undefined) {
      // oxlint-disable-next-line preserve-caught-error -- that is what must not be seen
      throw new InvalidPayloadError(
        `${displayName} was decrypted, but a value in it was refused. Why is not shown, for it may tell what the job carries. Compare the job's class with the one that it was written by.`,
      );
    }
    throw error;
  }
}

function revived(
  definition: JobDefinition,
  data: object,
  context: JobContext,
  codec: PayloadCodec,
): object | Promise<object> {
  const decoded = codec.decode(data);
  if (!decoded.pending) return instanceOf(definition, decoded.fields, context);
  return codec.resolve(decoded).then(() => instanceOf(definition, decoded.fields, context));
}

/** Errors about the body, which no further try will change. */
const UNREADABLE = [InvalidPayloadError, DecryptionError, SignatureError];

/** What comes of a job that could not be brought back: done, failed at once, or (`undefined`) an exception like any other. */
export function verdictOnRevival(error: unknown, envelope: JobEnvelope): 'done' | 'failed' | undefined {
  if (error instanceof EntityMissingError) return envelope.deleteWhenMissingEntities ? 'done' : 'failed';
  return UNREADABLE.some((type) => error instanceof type) ? 'failed' : undefined;
}

function instanceOf(definition: JobDefinition, fields: Record<string, unknown>, context: JobContext): object {
  const prototype = definition.type.prototype as object;
  const job = Object.create(prototype) as Record<string, unknown>;
  for (const key of Object.keys(fields)) {
    // Plain assignment would run a setter of the class, or meet a read-only property of Object.prototype.
    if (key in prototype)
      Object.defineProperty(job, key, { value: fields[key], writable: true, enumerable: true, configurable: true });
    else job[key] = fields[key];
  }
  attachContext(job, context);
  return job;
}
