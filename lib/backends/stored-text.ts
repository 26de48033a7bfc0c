import { createHash } from 'node:crypto';

/**
 * Marks text that stands for another. It is a code point that no text needs; text that begins with it all the same is marked too, so
 * that reading is the exact reverse of writing.
 */
const MARK = '\u{10FFFF}';
const LONGEST_KEY = 180;

/**
 * Text as a server can keep it. Postgres refuses NUL, and half a surrogate pair becomes U+FFFD on its way to any server: such text is
 * kept as base64 of its UTF-16 behind a mark.
 */
export function storable(text: string): string {
  if ((text as string & { isWellFormed(): boolean }).isWellFormed() && !text.includes('\0') && !text.startsWith(MARK))
    return text;
  return `${MARK}${Buffer.from(text, 'utf16le').toString('base64')}`;
}

/** The other way round. */
export function readable(text: string): string {
  return text.startsWith(MARK) ? Buffer.from(text.slice(MARK.length), 'base64').toString('utf16le') : text;
}

/** The text of a name in a unique index, whose rows are bounded: long ones are kept as a digest. Never read back. */
export function indexable(text: string): string {
  const stored = storable(text);
  if (stored.length <= LONGEST_KEY && !stored.startsWith('sha256:')) return stored;
  return `sha256:${createHash('sha256').update(stored).digest('hex')}`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * A job's id as the 16 bytes of its key column. A UUID in its usual form is itself; any other id is kept as `name` beside the first
 * half of its digest.
 */
export function idKey(id: string): { readonly key: string; readonly name: string | null } {
  if (UUID.test(id)) return { key: id, name: null };
  const hex = createHash('sha256').update(storable(id)).digest('hex');
  const key = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
  return { key, name: storable(id) };
}

/** The id that `idKey` was given. */
export function idOf(key: string | number | null, name: string | number | null): string {
  return name === null ? String(key) : readable(String(name));
}
