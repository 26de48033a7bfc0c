/** What an error means for what is to be done next. */
export type RedisFault =
  /** The way to the server is broken. Whether the order was carried out, the command knows. */
  | 'way'
  /** The server refused for now, and did nothing: it loads, is a replica, cannot save, is looking for its slots. */
  | 'wait'
  /** It does not know the script. */
  | 'noscript'
  /** It does not understand a script that begins with flags: older than 7. */
  | 'flags'
  /** No memory left for what would need some. */
  | 'full'
  /** Waiting does not change it: a wrong password, no right to a command or a key, no such database. */
  | 'refused'
  /** None of these: a mistake of ours, or of whoever wrote into our keys. */
  | 'other';

const WAITS = new Set([
  'LOADING',
  'BUSY',
  'MISCONF',
  'READONLY',
  'MASTERDOWN',
  'NOREPLICAS',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'MOVED',
  'ASK',
  'UNBLOCKED',
]);
const REFUSALS = new Set(['NOAUTH', 'WRONGPASS', 'NOPERM', 'DENIED']);
const REFUSED =
  /DB index is out of range|invalid DB index|SELECT is not allowed in cluster|invalid password|without any password configured/i;
const NO_FLAGS = /unexpected symbol near '#'/;

export function redisFault(error: unknown): RedisFault {
  if (!isReply(error)) return messageOf(error).startsWith('Too many Cluster redirections') ? 'wait' : 'way';
  const message = messageOf(error);
  const code = codeOf(message);
  if (code === 'NOSCRIPT') return 'noscript';
  if (WAITS.has(code)) return 'wait';
  if (code === 'OOM') return 'full';
  if (REFUSALS.has(code) || REFUSED.test(message)) return 'refused';
  if (NO_FLAGS.test(message)) return 'flags';
  return /max number of clients/i.test(message) ? 'wait' : 'other';
}

/** A replica, or a master that has become one. */
export function isReadOnly(error: unknown): boolean {
  return isReply(error) && codeOf(messageOf(error)) === 'READONLY';
}

/**
 * What may be shown of an error: its message alone. The client puts the whole command on it, with bodies of jobs, or the password where
 * that was refused.
 */
export function bareError(error: unknown): Error {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
  const bare = new Error(wayMessage(error));
  if (typeof name === 'string') bare.name = name;
  if (typeof code === 'string') Object.assign(bare, { code });
  return bare;
}

/** The first word of an answer. A script's error has it further inside on servers before 7. */
function codeOf(message: string): string {
  const inside = /^ERR Error running script.*?: -?([A-Z]+) /.exec(message);
  return inside?.[1] ?? /^(?:Ready check failed: )?([A-Z]+)\b/.exec(message)?.[1] ?? '';
}

function isReply(error: unknown): boolean {
  const { name, message } = (error ?? {}) as { name?: unknown; message?: unknown };
  return name === 'ReplyError' || (typeof message === 'string' && message.startsWith('Ready check failed: '));
}

function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(error);
}

/** Several addresses of one host fail together, without a message of their own. */
function wayMessage(error: unknown): string {
  const message = messageOf(error);
  if (message !== '') return message;
  const { errors, code } = (error ?? {}) as { errors?: unknown; code?: unknown };
  return Array.isArray(errors) && errors.length > 0 ? messageOf(errors[0]) : String(code);
}
