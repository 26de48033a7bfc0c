import { InvalidOptionError } from '../../support/queue-error.js';

/** Digits of a record's number, which stands in front of its id in a member of an order. */
const DIGITS = 16;

/** Where a failed job stands: by its moment, then by its number. */
export interface FailedPlace {
  /** As it is stored. */
  readonly id: string;
  /** Epoch ms. */
  readonly at: number;
  readonly number: number;
}

/** Members of an order and their moments in turn. */
export function failedPlaces(members: readonly string[]): FailedPlace[] {
  const places: FailedPlace[] = [];
  for (let at = 0; at < members.length; at += 2) {
    const member = members[at]!;
    const number = Number(member.slice(0, DIGITS));
    places.push({ id: member.slice(DIGITS + 1), at: Number(members[at + 1]), number });
  }
  return places;
}

export function newestFirst(a: FailedPlace, b: FailedPlace): number {
  return b.at - a.at || b.number - a.number;
}

export function cursorOf({ at, number }: FailedPlace): string {
  return `${at}.${number}`;
}

/** @throws InvalidOptionError */
export function readPlace(cursor: string): readonly [at: number, number: number] {
  const found = /^(-?\d+)\.(\d+)$/.exec(cursor);
  if (found) return [Number(found[1]), Number(found[2])];
  throw new InvalidOptionError('cursor is not one that a page answered with. Start again without it.');
}
