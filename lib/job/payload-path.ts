/** One step into a payload: a property, an index, a Map's or Set's entry. `undefined` is a step that has no name of its own. */
export type PathStep = string | number | EntryStep | undefined;

/** Into a Map by its key, or into a Set by position. */
export class EntryStep {
  constructor(readonly key: unknown) {}
}

const PLAIN_KEY = /^[\p{L}_$][\p{L}\p{N}_$]*$/u;
const LONGEST_KEY = 60;

/**
 * `user.socket`, `items[3].file`, `lookup<key>`, `headers["content-type"]`.
 *
 * @param secret leaves out the keys of Maps: they are what a job carries, as the values are
 */
export function pathText(steps: readonly PathStep[], secret = false): string {
  let text = '';
  for (const step of steps) {
    if (step === undefined) continue;
    if (step instanceof EntryStep) text += `<${secret ? '…' : entryText(step.key)}>`;
    else if (typeof step === 'number') text += `[${step}]`;
    else if (PLAIN_KEY.test(step)) text += text === '' ? cut(step) : `.${cut(step)}`;
    else text += `[${JSON.stringify(cut(step))}]`;
  }
  return text;
}

function entryText(key: unknown): string {
  if (typeof key === 'object' && key !== null) return Object.prototype.toString.call(key).slice(8, -1);
  return typeof key === 'function' ? 'function' : cut(String(key));
}

function cut(text: string): string {
  return text.length > LONGEST_KEY ? `${text.slice(0, LONGEST_KEY)}…` : text;
}
