import type { FailureCause } from '../contracts/job-envelope.js';
import { withoutSecrets } from '../support/without-secrets.js';

/** A message or stack travels up to this many characters. */
const LONGEST = 8_192;
const SHORTEST = 500;

/** What there is to read of an error, without the passwords of URLs; it may be of any make, with getters that throw. */
export function causeOf(error: Error): FailureCause {
  const text = (key: 'name' | 'message' | 'code' | 'stack'): string | undefined => {
    try {
      const value = (error as { readonly [name in typeof key]?: unknown })[key];
      return typeof value === 'string' && value !== '' ? withoutSecrets(value.slice(0, LONGEST)) : undefined;
    } catch {
      return undefined;
    }
  };
  const code = text('code');
  const stack = text('stack');
  return {
    name: text('name') ?? 'Error',
    message: text('message') ?? '',
    ...(code !== undefined && { code }),
    ...(stack !== undefined && { stack }),
  };
}

/** The same without its stack, for a job that is nearly as large as its store allows. */
export function shortened({ name, message, code }: FailureCause): FailureCause {
  return { name: name.slice(0, SHORTEST), message: message.slice(0, SHORTEST), ...(code !== undefined && { code }) };
}
