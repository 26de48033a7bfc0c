import { readBody, storedBody } from '../body-text.js';

/** What the envelope of a job begins with, as `storedBody` writes it; and where the job's display name is left out, being its name. */
const HEAD = '{"v":1,"uuid":"\x7f","name":"';
const SHORT = '{"v":1,"uuid":"\x7f\x7f","name":"';
const SHOWN = ',"displayName":"';

/**
 * A body as it is kept: `storedBody`, and a display name that is the name again is left out, some thirty bytes of a job. It is found and
 * put back by its text alone. Still JSON, and still any text: what has the mark for other reasons does not begin so.
 */
export function keptBody(body: string, id: string): string {
  const text = storedBody(body, id);
  if (!text.startsWith(HEAD)) return text;
  const end = text.indexOf('"', HEAD.length) + 1;
  const name = text.slice(HEAD.length, end);
  if (end === 0 || !text.startsWith(SHOWN, end) || !text.startsWith(name, end + SHOWN.length)) return text;
  return SHORT + name + text.slice(end + SHOWN.length + name.length);
}

/** The other way round. */
export function bodyOf(text: string, id: string): string {
  if (!text.startsWith(SHORT)) return readBody(text, id);
  const end = text.indexOf('"', SHORT.length) + 1;
  const name = text.slice(SHORT.length, end);
  return `{"v":1,"uuid":"${id}","name":"${name}${SHOWN}${name}${text.slice(end)}`;
}
