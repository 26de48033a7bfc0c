// Writes a CSV file of people, the same one each time. Some rows are bad on purpose, and one byte is: row 23,456 has a name in
// Latin-1, as older programs write it, where the rest is UTF-8. By hand: node make-people.mjs people.csv 50000
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

const FIRST = ['Ada', 'Ben', 'Chloé', 'Dmitri', 'Eşref', 'Freya', 'Grace', 'Håkon', 'Inés', 'Jun', 'Kofi', 'Łucja'];
const LAST = ['Abel', 'Brontë', 'Čapek', "D'Arcy", 'Ek', 'Flores', 'Gauß', 'Hopper', 'Ito', 'Jönsson', 'Kovács'];
const CITIES = ['Lisbon', 'Oslo', 'Washington, D.C.', 'Kraków', 'Osaka', 'Accra', 'São Paulo'];
const NOTES = ['', '', '', 'calls herself "the Duke"', 'two lines:\nthe second one'];
const NOT_UTF8 = 23_456;

export async function makePeople(path, rows = 50_000) {
  await pipeline(Readable.from(blocks(rows)), createWriteStream(path));
}

function* blocks(rows) {
  yield Buffer.from('name,email,city,born,note\n');
  for (let from = 1; from <= rows; from += 1_000) {
    const lines = [];
    for (let row = from; row < Math.min(from + 1_000, rows + 1); row++) {
      lines.push(
        row === NOT_UTF8 ? Buffer.from(`Zoé Latin,zoe@example.org,Oslo,1950,\n`, 'latin1') : Buffer.from(line(row)),
      );
    }
    yield Buffer.concat(lines);
  }
}

function line(row) {
  const name = `${pick(FIRST, row)} ${pick(LAST, row + 7)}`;
  const email = `person-${row}@example.org`;
  const born = String(1930 + (hash(row + 13) % 75));
  const fields = [name, email, pick(CITIES, row + 29), born, pick(NOTES, row + 41)];
  if (row % 250 === 0) fields[1] = `person-${row}.example.org`;
  else if (row % 500 === 77) fields[0] = '';
  else if (row % 1_000 === 901) fields[3] = 'unknown';
  else if (row % 1_000 === 13) fields.pop();
  return `${fields.map((field) => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',')}\n`;
}

function pick(list, seed) {
  return list[hash(seed) % list.length];
}

/** The same number for the same seed, in no visible order. */
function hash(seed) {
  const mixed = Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d);
  return (mixed ^ (mixed >>> 12)) >>> 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file = 'people.csv', rows = '50000'] = process.argv.slice(2);
  await makePeople(file, Number(rows));
}
