import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { JobDefinition } from './job-definition.js';
import { freezePolicies, POLICY_FIELDS, readPolicy } from './job-policies.js';
import { InvalidOptionError } from '../support/queue-error.js';
import type { PayloadCodec } from './payload-codec.js';
import { relationsDropped } from './without-relations.js';

/** Adds to a payload what every job of a connection should carry. */
export type PayloadHook = (connection: string, queue: string, payload: object) => object;

/**
 * Writes a job down as it stands: its fields by the codec, its policies frozen.
 *
 * @throws UnserializableError, InvalidOptionError; nothing has been stored then
 */
export function writeEnvelope(
  job: object,
  definition: JobDefinition,
  to: { readonly uuid: string; readonly now: number; readonly connection: string; readonly queue: string },
  codec: PayloadCodec,
  hooks: readonly PayloadHook[],
): JobEnvelope {
  refuseInTheClear(job, definition);
  const drops = (field: string): boolean => relationsDropped(definition.type, field);
  const envelope: JobEnvelope = {
    v: 1,
    uuid: to.uuid,
    name: definition.name,
    ...freezePolicies(job, definition, to.now),
    createdAt: to.now,
    data: codec.encode(fieldsOf(job, definition), definition.type.name, drops),
  };
  if (hooks.length === 0) return envelope;
  let extra: Record<string, unknown> = {};
  for (const hook of hooks) extra = { ...extra, ...hook(to.connection, to.queue, { ...envelope, ...extra }) };
  return Object.keys(extra).length > 0 ? { ...envelope, extra } : envelope;
}

/** A job that asks for encryption must not travel readable because this version has none. */
function refuseInTheClear(job: object, definition: JobDefinition): void {
  if (!definition.encrypted && !readPolicy(job, 'shouldBeEncrypted')) return;
  throw new InvalidOptionError(
    `${definition.type.name} asks to be encrypted, which this version cannot do yet; it was not sent in the clear. Take @Encrypted() off, or carry an id instead of the secret.`,
  );
}

/** What travels: own fields that are neither policies nor injected. `undefined` ones need not: they read the same when absent. */
function fieldsOf(job: object, definition: JobDefinition): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const key of Object.keys(job)) {
    if (POLICY_FIELDS.has(key) || definition.injected.has(key)) continue;
    const property = Object.getOwnPropertyDescriptor(job, key)!;
    // An accessor or an own __proto__ is handed on as it is, for the codec to refuse by its path.
    if (key === '__proto__' || property.get || property.set) Object.defineProperty(fields, key, property);
    else if (property.value !== undefined) fields[key] = property.value;
  }
  return fields;
}
