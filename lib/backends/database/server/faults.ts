/** What an error of a server, or of the way to it, means for what is to be done next. */
export type Fault =
  /** The server cannot be reached, is starting, ending, full of connections or read-only: later it may answer. */
  | 'unavailable'
  /** The transaction met another one (deadlock, serialization, lock wait): the same again may succeed at once. */
  | 'conflict'
  /** A value or a row is to blame: what stands beside it is sound. */
  | 'row'
  /** A table or column is not there. */
  | 'schema'
  /** No room on its disk. */
  | 'full'
  /** Waiting does not change it: wrong password, no such database, no permission. */
  | 'refused'
  /** None of these: a mistake of ours. */
  | 'other';

export interface Faults {
  of(error: unknown): Fault;
  /** The server takes no writes now: it is a replica, or it was told so. A special case of `unavailable`. */
  readOnly(error: unknown): boolean;
}

/** Codes of the way to the server, the same for every one. */
const WAY = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EAI_AGAIN',
  'ENOTFOUND',
  'ENOENT',
]);

/** The way to the server is broken, or the name of its host is not known now. An AggregateError stands for several addresses. */
export function isWayFault(error: unknown): boolean {
  const { code, errors } = (error ?? {}) as { code?: unknown; errors?: unknown };
  if (typeof code === 'string' && WAY.has(code)) return true;
  return Array.isArray(errors) && errors.some(isWayFault);
}
