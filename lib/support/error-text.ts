import { withoutSecrets } from './without-secrets.js';

/** Exception text is kept up to this many characters. */
export const LONGEST_EXCEPTION = 65_536;

/**
 * Any thrown value as an Error: what is thrown may be `undefined`, frozen, a Proxy, or have getters that throw.
 * An Error is handed back as it is.
 *
 * @param secret shows nothing of an object: it may be what an encrypted job carries
 */
export function toError(thrown: unknown, secret = false): Error {
  try {
    if (thrown instanceof Error) return thrown;
    if (secret && typeof thrown === 'object') {
      return new Error(
        'The job threw an object that is not an Error. What it holds is not shown: the job is encrypted.',
      );
    }
    const error = new Error(
      `The job threw ${typeof thrown === 'string' ? thrown : safely(() => preview(thrown), 'a value')}`,
    );
    (error as { cause?: unknown }).cause = thrown;
    return error;
  } catch {
    return new Error('The job threw a value that cannot be looked at.');
  }
}

/** Name, message, stack and causes of an error, cut to 64 K characters, without the passwords of URLs. Never throws. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  const seen = new Set<unknown>();
  let length = 0;
  for (
    let one: unknown = error;
    one !== undefined && !seen.has(one) && length < LONGEST_EXCEPTION && parts.length < 10;
  ) {
    seen.add(one);
    const text = safely(() => oneText(one), 'an error that cannot be printed').slice(0, LONGEST_EXCEPTION);
    parts.push(parts.length === 0 ? text : `Caused by: ${text}`);
    length += text.length;
    const current = one;
    one = safely(() => (current instanceof Error ? current.cause : undefined), undefined);
  }
  return withoutSecrets(parts.join('\n').slice(0, LONGEST_EXCEPTION));
}

/** One line of an error, for tables and log lines. */
export function errorLine(error: unknown): string {
  return errorText(error).split('\n', 1)[0]!.slice(0, 500);
}

function oneText(value: unknown): string {
  if (!(value instanceof Error)) return preview(value);
  const head = `${value.name}: ${value.message}`;
  const stack = typeof value.stack === 'string' ? value.stack : '';
  return stack.includes(value.message) ? stack : stack ? `${head}\n${stack.split('\n').slice(1).join('\n')}` : head;
}

function preview(value: unknown): string {
  if (typeof value === 'string') return value;
  const json = safely(() => JSON.stringify(value), undefined);
  return json ?? String(value);
}

function safely<T, F>(fn: () => T, otherwise: F): T | F {
  try {
    return fn();
  } catch {
    return otherwise;
  }
}
