import type { Arg } from './link.js';

/** Keys and arguments of a script while they are put together. */
export class ScriptCall {
  readonly keys: string[] = [];
  readonly args: Arg[] = [];
  #numbers: Map<string, number> | undefined;

  /** The number by which the script knows a key. */
  key(key: string): number {
    const { keys } = this;
    if (keys.length < 8) {
      const at = keys.indexOf(key);
      return at < 0 ? keys.push(key) : at + 1;
    }
    this.#numbers ??= new Map(keys.map((one, at) => [one, at + 1]));
    let number = this.#numbers.get(key);
    if (number === undefined) this.#numbers.set(key, (number = keys.push(key)));
    return number;
  }
}
