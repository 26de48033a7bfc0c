import { describe, InvalidOptionError } from '../../support/queue-error.js';
import { storable } from '../stored-text.js';

/** Default of the option `prefix`. */
export const DEFAULT_PREFIX = 'queue';

/** What a name may keep in a key. Everything else is written as %XX, so that a name never holds a brace, which would move its slot. */
const PLAIN = /^[A-Za-z0-9_.\-:/]+$/;

/**
 * The names of all keys of a connection. Each is `prefix:{tag}` or begins with `prefix:{tag}:`, so that everything under one tag is in
 * one slot of a cluster. The tag of a queue is its encoded name; tags of our own begin with `!`, which no encoded name has. A prefix
 * with braces of its own puts everything into one slot.
 *
 *     queue:{default}:jobs     queue:{!failed}:records     queue:{!lock:reports}
 */
export class Keyspace {
  /** @throws InvalidOptionError where braces in the prefix would move the keys of a queue to different slots, or hide their tag */
  constructor(readonly prefix: string = DEFAULT_PREFIX) {
    const open = prefix.indexOf('{');
    if (open >= 0 && prefix.indexOf('}', open) <= open + 1) {
      throw new InvalidOptionError(
        `The option prefix is ${describe(prefix)}: its "{" is not followed by text and "}", so a cluster would not keep the keys of a ` +
          'queue together. Leave the braces out, or write a text between them.',
      );
    }
  }

  /** What all keys of a queue begin with. */
  queue(name: string): string {
    return this.#tagged(encoded(name));
  }

  /** What all keys of one of our own stores begin with: `failed`, `batches`, `limits`, `control`, `queues`. */
  own(store: string): string {
    return this.#tagged(`!${store}`);
  }

  /** One lock is one key. */
  lock(key: string): string {
    return this.#tagged(`!lock:${encoded(key)}`);
  }

  /** What all keys of one batch begin with. */
  batch(id: string): string {
    return this.#tagged(`!batch:${encoded(id)}`);
  }

  #tagged(tag: string): string {
    return `${this.prefix}:{${tag}}`;
  }
}

/** The part of a key that decides about its slot. */
export function slotTag(key: string): string {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}

function encoded(name: string): string {
  if (PLAIN.test(name)) return name;
  const bytes = Buffer.from(storable(name));
  let text = '';
  for (const byte of bytes) {
    const char = String.fromCharCode(byte);
    text += byte < 128 && PLAIN.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return text;
}
