import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { JobDefinition } from './job-definition.js';
import { freezePolicies, readPolicy } from './job-policies.js';
import { UNSEALED, type EnvelopeSeals } from './envelope-seals.js';
import { fluentOptions } from './fluent-options.js';
import type { PayloadCodec } from './payload-codec.js';
import { runPayloadHooks, type PayloadHook } from './payload-hooks.js';
import { QueuedClosure } from './queued-closure.js';
import type { ContextValues } from './request-context.js';
import { writeThrough } from './through.js';
import { travellingFields } from './travelling-fields.js';
import { relationsDropped } from './without-relations.js';

/**
 * Writes a job down as it stands: its fields by the codec, its policies frozen. Encrypted where the job asks for it, signed where
 * the module or `to.signed` does. Whoever adds to a signed envelope afterwards signs it anew: `seals.signed()`.
 *
 * @throws UnserializableError, InvalidOptionError; nothing has been stored then
 */
export function writeEnvelope(
  job: object,
  definition: JobDefinition,
  to: {
    readonly uuid: string;
    readonly now: number;
    /** Absent: now. */
    readonly dueAt?: number | undefined;
    readonly connection: string;
    readonly queue: string;
    /** What it carries of the context it is dispatched from. */
    readonly context?: ContextValues | undefined;
    /** Of the trace that sends it. */
    readonly trace?: JobEnvelope['trace'] | undefined;
    /** What it says of others of its kind, and of the batch that it belongs to. */
    readonly marks?: Pick<JobEnvelope, 'unique' | 'debounce' | 'batchId' | 'batch' | 'callbackOf'> | undefined;
    /** Signs it wherever there is a key. */
    readonly signed?: boolean;
    /** It is not stored: this process runs it. */
    readonly inProcess?: boolean;
  },
  codec: PayloadCodec,
  hooks: readonly PayloadHook[],
  seals: EnvelopeSeals = UNSEALED,
): JobEnvelope {
  const drops = (field: string): boolean => relationsDropped(definition.type, field);
  // One that asks twice in different words travels encrypted: the decorator is not taken back by a field.
  const encrypted = definition.encrypted === true || Boolean(readPolicy(job, 'shouldBeEncrypted'));
  const data =
    job instanceof QueuedClosure
      ? job.written({ ...to, sources: seals.sources }, codec)
      : codec.encode(travellingFields(job, definition), definition.type.name, drops, encrypted);
  const through = fluentOptions(job)?.through;
  const middleware = through && writeThrough(through, definition.type.name, codec, encrypted);
  const seal = (what: object, part?: 'middleware'): string =>
    seals.seal(what, { uuid: to.uuid, name: definition.name, part }, definition.type.name);
  const envelope: JobEnvelope = {
    v: 1,
    uuid: to.uuid,
    name: definition.name,
    ...freezePolicies(job, definition, to.now),
    createdAt: to.now,
    ...(to.dueAt !== undefined && { dueAt: to.dueAt }),
    ...(encrypted ? { encrypted, data: seal(data) } : { data }),
    ...(middleware && { middleware: encrypted ? seal(middleware, 'middleware') : middleware }),
    ...(to.context && { context: to.context }),
    ...(to.trace && { trace: to.trace }),
    ...to.marks,
  };
  const signed = to.signed ?? definition.signed;
  if (hooks.length === 0) return seals.signed(envelope, signed);
  const extra = runPayloadHooks(hooks, envelope, to);
  return seals.signed(extra ? { ...envelope, extra } : envelope, signed);
}
