import { HEADER } from '../src/people/read-person.js';

/** A file of so many people; a note with a comma and a line break in it is no row of its own. */
export function csv(people: number): string {
  const rows = Array.from(
    { length: people },
    (_, at) => `Person ${at + 1},person${at + 1}@example.com,Lviv,19${50 + at},"likes maps,\nand trains"\n`,
  );
  return `${HEADER.join()}\n${rows.join('')}`;
}
