import type { JobMiddleware } from '../contracts/job-middleware.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import type { PayloadCodec } from './payload-codec.js';
import { InvalidPayloadError } from './payload-errors.js';
import { valueName } from './value.decorator.js';

type Json = Readonly<Record<string, unknown>>;

/** A middleware class that travels under a name of its own, which stays when the class is renamed. */
export interface TravellingMiddleware {
  readonly type: { readonly prototype: JobMiddleware & { toJSON(): object } };
  /** Absent where `toJSON()` refuses, to say why. @throws for options that cannot be */
  readonly read?: (json: Json) => JobMiddleware;
}

const travelling = new Map<string, TravellingMiddleware>();

/** Makes classes known that `through()` takes besides those with `@Value()`. */
export function letTravel(classes: Readonly<Record<string, TravellingMiddleware>>): void {
  for (const [name, one] of Object.entries(classes)) travelling.set(name, one);
}

/**
 * Writes down what `through()` took: classes that were made known by name and options, `@Value()` classes by the codec.
 *
 * @param jobName for the message of an error
 * @param secret as for the codec: an error does not quote what is written
 * @throws InvalidOptionError, UnserializableError for what cannot travel
 */
export function writeThrough(
  middleware: readonly JobMiddleware[],
  jobName: string,
  codec: PayloadCodec,
  secret = false,
): readonly object[] {
  return middleware.map((one) => {
    for (const [name, { type }] of travelling) {
      if (Object.getPrototypeOf(one) !== type.prototype) continue;
      return { name, options: (one as typeof type.prototype).toJSON() };
    }
    if (valueName(one.constructor) !== undefined) {
      return { value: codec.encode({ middleware: one }, jobName, undefined, secret) };
    }
    throw new InvalidOptionError(
      `${jobName}.through() was given ${describe(one)}, which cannot travel with the job. Make its class a @Value(), or put it into middleware() or @Middleware().`,
    );
  });
}

/**
 * Brings it back. A name from the store is looked up in a Map and nowhere else. At once unless entities have to be fetched.
 *
 * @throws InvalidPayloadError
 */
export function readThrough(
  written: readonly object[],
  codec: PayloadCodec,
): readonly JobMiddleware[] | Promise<readonly JobMiddleware[]> {
  const read = written.map((one) => readOne(one as Json | null, codec));
  return read.some((one) => one instanceof Promise)
    ? Promise.all(read.map((one) => Promise.resolve(one)))
    : (read as JobMiddleware[]);
}

function readOne(written: Json | null, codec: PayloadCodec): JobMiddleware | Promise<JobMiddleware> {
  const { name, options, value } = written ?? {};
  if (value !== undefined) {
    const decoded = codec.decode(value);
    if (!decoded.pending) return asMiddleware(decoded.fields['middleware']);
    return codec.resolve(decoded).then(() => asMiddleware(decoded.fields['middleware']));
  }
  const read = typeof name === 'string' ? travelling.get(name)?.read : undefined;
  if (!read || typeof options !== 'object' || options === null) {
    throw new InvalidPayloadError(
      `The job carries a middleware named ${String(name).slice(0, 60)}, which this version does not know. Deploy workers before producers, then retry it.`,
    );
  }
  try {
    return read(options as Json);
  } catch (cause) {
    throw new InvalidPayloadError(
      `The job carries a ${String(name)} with options that cannot be: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

function asMiddleware(value: unknown): JobMiddleware {
  if (typeof (value as JobMiddleware | null | undefined)?.handle === 'function') return value as JobMiddleware;
  throw new InvalidPayloadError('The job carries a middleware that has no handle(job, next, context).');
}
