import { readable, storable } from './stored-text.js';

/** Stands for the job's id. A control character that JSON leaves as it is, so that what is stored is still JSON. */
const ID = '\x7f';

/**
 * A body as it is stored. An envelope carries its job's id, which stands in the row beside it: 36 of about 150 bytes. Where the id
 * occurs once, one character stands for it; text that has the character already is marked by one in front.
 */
export function storedBody(body: string, id: string): string {
  const text = storable(body);
  if (text.includes(ID)) return `${ID}${text}`;
  const at = text.indexOf(id);
  if (at < 1 || text.indexOf(id, at + 1) >= 0) return text;
  return text.slice(0, at) + ID + text.slice(at + id.length);
}

/** The other way round. */
export function readBody(text: string, id: string): string {
  const at = text.indexOf(ID);
  if (at < 0) return readable(text);
  return readable(at === 0 ? text.slice(1) : text.slice(0, at) + id + text.slice(at + 1));
}
