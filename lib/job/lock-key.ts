import { createHash } from 'node:crypto';

/** Of a class's name as it stands in a key for people to read. */
const LONGEST_NAME = 40;

/**
 * The key of a lock that is about one kind of work: short, plain and readable in front, and no two kinds under the same one, whatever
 * their names and ids hold.
 *
 * @param id absent where the class stands for itself
 */
export function lockKey(purpose: 'unique' | 'debounce', name: string, id: string | undefined): string {
  const hash = createHash('sha256');
  // With its length before each part nothing in one can pass for the end of it; UTF-16 keeps halves of a pair apart, UTF-8 does not.
  for (const part of id === undefined ? [name] : [name, id]) hash.update(`${part.length}:`).update(part, 'utf16le');
  return `${purpose}:${name.replace(/[^\w.-]/g, '_').slice(0, LONGEST_NAME)}:${hash.digest('hex')}`;
}

/** Beside a debounce's token: when the first dispatch came that nothing has run for yet. */
export function firstMark(key: string): string {
  return `${key}:first`;
}
