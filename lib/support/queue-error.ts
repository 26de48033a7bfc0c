/**
 * The root of every error this package raises.
 *
 * `code` is stable and meant to be compared; the message is meant to be read: what went wrong, where, and what to do.
 */
export class QueueError extends Error {
  readonly code: string;
  /** `'unknown'` where it is not known whether the store took the write. */
  declare readonly outcome?: 'unknown';
  /** Waiting may mend it: a worker goes on trying instead of ending. */
  declare readonly transient?: true;

  constructor(code: string, message: string, options?: { cause?: unknown; outcome?: 'unknown' }) {
    super(message, options && 'cause' in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    if (options?.outcome) this.outcome = options.outcome;
  }
}

/** An option, a decorator's argument or a policy has a value that cannot be. */
export class InvalidOptionError extends QueueError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('ERR_QUEUE_INVALID_OPTION', message, options);
  }
}

/** The handler's class name, for messages about values of unknown kind. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'object') return Object.getPrototypeOf(value)?.constructor?.name ?? 'an object';
  if (typeof value === 'function') return value.name ? `the function ${value.name}` : 'a function';
  return String(value as number | bigint | boolean | symbol | undefined);
}
