import { createHash } from 'node:crypto';

/** The same namespace and name give the same id, wherever and however often it is made: a UUID of version 5. */
export function namedUuid(namespace: string, name: string): string {
  const bytes = createHash('sha1').update(`${namespace}\n${name}`, 'utf8').digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
