import { shownExpected } from './queue-fake-matching.js';
import { shownRecord, type PushedRecord } from './pushed-record.js';
import type { BatchRecord } from './recording-stage.js';

/** So many are shown of a list; the rest is counted. */
const SHOWN = 10;
/** Of the members of a batch. */
const MEMBERS = 5;

/** Under a heading, one a line; without any, what is said then. */
export function listed(heading: string, lines: readonly string[], none: string): string {
  if (lines.length === 0) return none;
  const more = lines.length - SHOWN;
  const shown = lines.slice(0, SHOWN).map((line) => `\n  - ${line}`);
  return `${heading}${shown.join('')}${more > 0 ? `\n  … and ${more} more` : ''}`;
}

/** What was pushed instead. */
export function listedRecords(heading: string, records: readonly PushedRecord[], none = 'Nothing was pushed.'): string {
  return listed(heading, records.map(shownRecord), none);
}

/** `Batch import-csv on "imports" (connection "redis"): Import { id: 1 }, [Release -> Notify]`. */
export function shownBatch({ pending }: BatchRecord): string {
  const { name, queue, connection, allowFailures } = pending.options;
  const said = [
    connection === undefined ? '' : `connection "${connection}"`,
    allowFailures === true ? 'failures allowed' : '',
  ].filter(Boolean);
  const place = `${queue === undefined ? '' : ` on "${queue}"`}${said.length > 0 ? ` (${said.join(', ')})` : ''}`;
  const members = pending.jobs.slice(0, MEMBERS).map(shownExpected).join(', ');
  const more = pending.jobs.length - MEMBERS;
  return `${name === undefined ? 'A batch' : `Batch "${name}"`}${place} of ${pending.jobs.length}: ${members}${more > 0 ? `, … and ${more} more` : ''}`;
}
