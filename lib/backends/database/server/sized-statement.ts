import { roundedLength, type Flavour } from './flavour.js';
import type { Param, Statement } from './link.js';

/** Values of one statement: `roundedLength` keeps lists up to here to five lengths. */
export const LIST = 256;

/** A statement over a list of any length: the last value is repeated up to one of a few lengths, each prepared once. */
export class SizedStatement {
  readonly #byLength = new Map<number, Statement>();

  /** @param text the statement over so many values; a value that stands there twice must do no more than one */
  constructor(
    private readonly flavour: Flavour,
    private readonly text: (length: number) => string,
  ) {}

  of<T extends Param | readonly Param[]>(values: readonly T[]): { statement: Statement; padded: readonly T[] } {
    const length = roundedLength(values.length);
    let statement = this.#byLength.get(length);
    if (statement === undefined) {
      statement = this.flavour.statement(this.text(length));
      this.#byLength.set(length, statement);
    }
    const padding = Array.from({ length: length - values.length }, () => values.at(-1)!);
    return { statement, padded: [...values, ...padding] };
  }
}

/** `(?, ?), (?, ?)`: rows of a multi-row INSERT. */
export function rowsOf(row: string, count: number): string {
  return Array.from({ length: count }, () => row).join(', ');
}

/** A limit as it may stand in a statement. */
export function whole(limit: number): number {
  return Math.min(Math.max(0, Math.floor(limit)), 1_000_000);
}
