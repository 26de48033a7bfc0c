import { hkdfSync } from 'node:crypto';
import { describe, InvalidOptionError } from '../support/queue-error.js';

/** The module's option `key`: one key, or several by id of which one is `current`. */
export type KeyOption = string | { readonly current: string; readonly keys: Readonly<Record<string, string>> };

/** What a sub-key is for. One that leaks, or is misused, tells nothing of the others. */
export type KeyPurpose = 'payload-enc' | 'payload-mac' | 'closure-mac';

const SHORTEST_KEY = 32;
/** Fewer different characters than this is a placeholder, not a key: 32 random hex digits have about 14. */
const FEWEST_CHARACTERS = 8;
/** 32 bytes as base64 or base64url, padded or not. */
const BASE64_KEY = /^[A-Za-z0-9+/_-]{43}=?$/;
/** Ids travel in texts that are split at other characters. */
const KEY_ID = /^[A-Za-z0-9_.-]{1,64}$/;

interface Key {
  readonly material: Buffer;
  readonly derived: Map<KeyPurpose, Buffer>;
}

/**
 * The keys of a module, by id. New texts are written under the current one; the others are there to read what was written before.
 *
 * A key that was given without an id goes by its fingerprint, and every key can be found by it: a single key may later become one of
 * several, under any id.
 */
export class KeyRing {
  readonly current: string;
  /** The ids of keys that look like placeholders rather than like random text. */
  readonly weak: readonly string[];
  // Private to the runtime too: nothing that prints or serializes this object shows a key.
  readonly #keys = new Map<string, Key>();

  /** @throws InvalidOptionError naming the key by its id, never by its text */
  constructor(option: KeyOption) {
    if (typeof option === 'string') {
      const key = newKey(option, 'the key');
      this.current = fingerprint(key);
      this.#keys.set(this.current, key);
      this.weak = looksWeak(option) ? [this.current] : [];
      return;
    }
    const { current, keys } = checkedRing(option);
    for (const [id, text] of Object.entries(keys)) {
      if (!isKeyId(id)) {
        throw new InvalidOptionError(
          `QueueModule: ${describe(id)} in key.keys is not an id of a key. Use 1 to 64 letters, digits, "_", "." and "-".`,
        );
      }
      this.#keys.set(id, newKey(text, `the key "${id}"`));
    }
    // An id that was given comes before a fingerprint that happens to be the same.
    for (const key of this.#keys.values()) {
      const print = fingerprint(key);
      if (!this.#keys.has(print)) this.#keys.set(print, key);
    }
    this.current = current;
    this.weak = Object.keys(keys).filter((id) => looksWeak(keys[id]!));
  }

  /** 32 bytes, made from the key of that id for one purpose; `undefined` where there is no such key. */
  subKey(id: string, purpose: KeyPurpose): Buffer | undefined {
    const key = this.#keys.get(id);
    if (!key) return undefined;
    let derived = key.derived.get(purpose);
    if (!derived) key.derived.set(purpose, (derived = derive(key.material, `nestjs-queue ${purpose}`, 32)));
    return derived;
  }
}

/** Whether a text can be the id of a key; what a store holds need not be. */
export function isKeyId(text: string): boolean {
  return KEY_ID.test(text);
}

/** HKDF-SHA-256. */
export function derive(from: Buffer, info: string, bytes: number, salt: Buffer | string = ''): Buffer {
  return Buffer.from(hkdfSync('sha256', from, salt, info, bytes));
}

function checkedRing(option: Exclude<KeyOption, string>): Exclude<KeyOption, string> {
  const { current, keys } = (option ?? {}) as Partial<Exclude<KeyOption, string>>;
  if (typeof current !== 'string' || typeof keys !== 'object' || keys === null) {
    throw new InvalidOptionError(
      'QueueModule: key is neither text nor { current, keys }. Give one key, or several by id with the id of the current one.',
    );
  }
  if (!Object.hasOwn(keys, current)) {
    throw new InvalidOptionError(
      `QueueModule: key.current is ${describe(current)}, which key.keys does not have. Name one of its ids.`,
    );
  }
  return { current, keys };
}

function newKey(text: unknown, what: string): Key {
  if (typeof text !== 'string' || text.length < SHORTEST_KEY) {
    throw new InvalidOptionError(
      `QueueModule: ${what} is too short. Give 32 bytes in base64, or any string of 32 characters or more; queue:key prints a fresh one.`,
    );
  }
  // A line end from a file would make it another key than the same text without one.
  if (text.trim() !== text) {
    throw new InvalidOptionError(
      `QueueModule: ${what} has white space around it. Trim it where it is read; queue:key prints a fresh one.`,
    );
  }
  const material = Buffer.from(text, BASE64_KEY.test(text) ? 'base64' : 'utf8');
  return { material, derived: new Map() };
}

function fingerprint({ material }: Key): string {
  return derive(material, 'nestjs-queue key-id', 8).toString('hex');
}

function looksWeak(text: string): boolean {
  return new Set(text).size < FEWEST_CHARACTERS;
}
