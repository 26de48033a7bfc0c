import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { QueueError } from '../support/queue-error.js';
import { derive, isKeyId, type KeyRing } from './key-ring.js';

/** An encrypted payload that cannot be opened: wrong or unknown key, or not what was written for this job. */
export class DecryptionError extends QueueError {
  constructor(message: string) {
    super('ERR_QUEUE_DECRYPTION', message);
  }
}

/** What a sealed payload belongs to. It opens for this job alone. */
export interface SealedFor {
  readonly uuid: string;
  readonly name: string;
  /** Absent for its data. One part of a job does not open as another. */
  readonly part?: 'middleware' | undefined;
}

/** The wire form: version, key id, salt, nonce, ciphertext, tag; the bytes as base64url. */
interface Sealed {
  readonly v: 1;
  readonly kid: string;
  readonly s: string;
  readonly n: string;
  readonly c: string;
  readonly t: string;
}

const VERSION = 1;
const CIPHER = 'aes-256-gcm';
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts a text for one job, as text: AES-256-GCM under a key made for this one message from the ring's current key and a random
 * salt, so that no number of messages wears a key out. Bound to the job's id and name.
 */
export function sealText(plain: string, job: SealedFor, ring: KeyRing): string {
  const kid = ring.current;
  const random = randomBytes(SALT_BYTES + NONCE_BYTES);
  const salt = random.subarray(0, SALT_BYTES);
  const nonce = random.subarray(SALT_BYTES);
  const cipher = createCipheriv(CIPHER, messageKey(ring.subKey(kid, 'payload-enc')!, salt), nonce, {
    authTagLength: TAG_BYTES,
  });
  cipher.setAAD(boundTo(kid, job));
  const bytes = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
  const sealed: Sealed = {
    v: VERSION,
    kid,
    s: text(salt),
    n: text(nonce),
    c: text(bytes),
    t: text(cipher.getAuthTag()),
  };
  return JSON.stringify(sealed);
}

/**
 * The text that was sealed for this job. Says nothing of what it holds when it fails, and nothing of why the cipher refused it.
 *
 * @throws DecryptionError
 */
export function openText(sealed: string, job: SealedFor, ring: KeyRing | undefined, shown: string): string {
  const parts = readSealed(sealed, shown);
  const key = ring?.subKey(parts.kid, 'payload-enc');
  if (!key) {
    throw new DecryptionError(
      ring
        ? `${shown} is encrypted under the key "${parts.kid}", which this process does not have. Add it to QueueModule's key.keys, then retry the job.`
        : `${shown} is encrypted, and QueueModule has no key in this process. Set the option key (QUEUE_KEY), then retry the job.`,
    );
  }
  try {
    const decipher = createDecipheriv(CIPHER, messageKey(key, parts.salt), parts.nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(boundTo(parts.kid, job));
    decipher.setAuthTag(parts.tag);
    return Buffer.concat([decipher.update(parts.bytes), decipher.final()]).toString('utf8');
  } catch {
    throw new DecryptionError(
      `${shown} could not be decrypted: its payload was changed, belongs to another job, or was written under another key of the id "${parts.kid}". It was not run; its bytes are kept.`,
    );
  }
}

function readSealed(sealed: string, shown: string) {
  const parts = parsed(sealed);
  // Only the very text that sealText() writes: nothing about it can be changed without being noticed.
  if (!parts || !isKeyId(parts.kid) || JSON.stringify(wireForm(parts)) !== sealed) throw malformed(shown);
  const { v, kid } = parts;
  if (v !== VERSION) {
    throw new DecryptionError(
      `${shown} is encrypted in a form that this version of the package does not know. Deploy workers before producers, then retry it.`,
    );
  }
  const salt = bytesOf(parts.s);
  const nonce = bytesOf(parts.n);
  const bytes = bytesOf(parts.c);
  const tag = bytesOf(parts.t);
  if (salt?.length !== SALT_BYTES || nonce?.length !== NONCE_BYTES || tag?.length !== TAG_BYTES || !bytes) {
    throw malformed(shown);
  }
  return { kid, salt, nonce, bytes, tag };
}

type Read = { [K in keyof Sealed]: K extends 'v' ? number : string };

function parsed(sealed: string): Read | undefined {
  let value: unknown;
  try {
    value = JSON.parse(sealed);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const one = value as Record<string, unknown>;
  if (typeof one['v'] !== 'number') return undefined;
  for (const key of ['kid', 's', 'n', 'c', 't']) if (typeof one[key] !== 'string') return undefined;
  return value as Read;
}

function wireForm({ v, kid, s, n, c, t }: Read): Read {
  return { v, kid, s, n, c, t };
}

function malformed(shown: string): DecryptionError {
  return new DecryptionError(
    `${shown} says that it is encrypted, but its payload is not what this package writes. It was not run; its bytes are kept.`,
  );
}

function messageKey(key: Buffer, salt: Buffer): Buffer {
  return derive(key, 'nestjs-queue message', 32, salt);
}

/** The queue is not part of it: a retry may go to another one. */
function boundTo(kid: string, { uuid, name, part }: SealedFor): Buffer {
  return Buffer.from(`${VERSION}|${kid}|${uuid}|${name}${part === undefined ? '' : `|${part}`}`, 'utf8');
}

function text(bytes: Buffer): string {
  return bytes.toString('base64url');
}

/** Each sequence of bytes has one text: a decoder that overlooks stray bits would take others too. */
function bytesOf(written: string): Buffer | undefined {
  const bytes = Buffer.from(written, 'base64url');
  return text(bytes) === written ? bytes : undefined;
}
