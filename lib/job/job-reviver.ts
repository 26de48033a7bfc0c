import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { JobDefinition } from './job-definition.js';
import { EntityMissingError, InvalidPayloadError } from './payload-errors.js';
import type { PayloadCodec } from './payload-codec.js';
import { attachContext } from './queueable.js';

/**
 * Brings a job back as its handler sees it: its fields on an instance whose constructor was not run, its context attached. At once
 * unless entities have to be fetched.
 *
 * @throws InvalidPayloadError, EntityMissingError
 */
export function reviveJob(
  definition: JobDefinition,
  envelope: JobEnvelope,
  context: JobContext,
  codec: PayloadCodec,
): object | Promise<object> {
  if (typeof envelope.data === 'string') {
    throw new InvalidPayloadError(
      `${envelope.displayName} is encrypted, and this version of the package cannot decrypt it.`,
    );
  }
  const decoded = codec.decode(envelope.data);
  if (!decoded.pending) return instanceOf(definition, decoded.fields, context);
  return codec.resolve(decoded).then(() => instanceOf(definition, decoded.fields, context));
}

/** What comes of a job that could not be brought back: done, failed at once, or (`undefined`) an exception like any other. */
export function verdictOnRevival(error: unknown, envelope: JobEnvelope): 'done' | 'failed' | undefined {
  if (error instanceof EntityMissingError) return envelope.deleteWhenMissingEntities ? 'done' : 'failed';
  return error instanceof InvalidPayloadError ? 'failed' : undefined;
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
