import { toError } from '../support/error-text.js';
import { withoutSecrets } from '../support/without-secrets.js';
import { clean, cleanJson, columnsOf, type Colour, type Paint } from './style.js';
import type { LineStatus, WorkLine } from './work-lines.js';

type Word = readonly [word: string, colour: Colour];

const WORDS: Readonly<Record<LineStatus, Word>> = {
  starting: ['RUNNING', 'yellow'],
  success: ['DONE', 'green'],
  released_after_exception: ['FAIL', 'yellow'],
  failed: ['FAIL', 'red'],
  released: ['RELEASED', 'yellow'],
  lease_lost: ['LOST', 'yellow'],
  paused: ['PAUSED', 'yellow'],
  resumed: ['RESUMED', 'green'],
};

export interface TextForm {
  /** Columns to fill with dots. */
  readonly columns: number;
  readonly paint: Paint;
  readonly verbose?: boolean;
  readonly now?: Date;
  /** Resident set in MB, for verbose lines. */
  readonly memory?: number;
}

/** `  2026-05-14 10:00:00 SendInvoice ........ 12.34ms DONE` */
export function textLine(line: WorkLine, { columns, paint, verbose, now = new Date(), memory }: TextForm): string {
  const time = localTime(now);
  const subject = line.job ? clean(line.job.displayName || line.job.name || line.job.id) : `[${clean(line.queue)}]`;
  const details = [
    line.job && verbose ? line.job.id : '',
    verbose || !line.job ? line.connection : '',
    verbose && line.job ? line.queue : '',
  ].map((text) => clean(text));
  const measures = [
    verbose && memory !== undefined && line.status !== 'starting' ? `${Math.round(memory)}MB` : '',
    line.ms === undefined ? '' : runtime(line.ms),
  ];
  const [word, colour] = WORDS[line.status];

  const left = [time, subject, ...details].filter((text) => text !== '');
  const right = [...measures, word].filter((text) => text !== '');
  const taken = [...left, ...right].reduce((sum, text) => sum + columnsOf(text) + 1, 2);
  const dots = '.'.repeat(Math.max(3, columns - taken));
  const colours: readonly Colour[] = ['gray', 'blue', 'blue'];
  const shown = details.map((text, at) => (text === '' ? '' : paint(colours[at]!, text))).filter((text) => text !== '');
  return [
    ` ${paint('gray', ` ${time}`)}`,
    subject,
    ...shown,
    paint('gray', dots),
    ...measures.filter((text) => text !== '').map((text) => paint('gray', text)),
    paint(colour, word),
  ].join(' ');
}

/** One JSON object; what is empty is left out. */
export function jsonLine(line: WorkLine, timestamp: string = preciseTime()): string {
  const error = line.error === undefined || line.error === null ? undefined : toError(line.error);
  const entries = Object.entries({
    level: line.status === 'starting' || line.status === 'success' ? 'info' : 'warning',
    id: line.job?.id,
    uuid: line.job?.id,
    connection: line.connection,
    queue: line.queue,
    job: line.job && (line.job.displayName || line.job.name),
    status: line.status,
    result: line.result,
    attempts: line.job?.attempts,
    exception: error?.name,
    message: error && withoutSecrets(error.message),
    timestamp,
    duration: line.ms === undefined ? undefined : Math.round(line.ms * 1_000) / 1_000_000,
  });
  return cleanJson(
    JSON.stringify(Object.fromEntries(entries.filter(([, value]) => value !== undefined && value !== ''))),
  );
}

/** `12.34ms`, `1.23s`, `2m 5s`, `3h 7m`. */
export function runtime(ms: number): string {
  if (ms < 1_000) return `${ms.toFixed(2)}ms`;
  if (ms < 59_995) return `${(ms / 1_000).toFixed(2)}s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  return `${Math.floor(seconds / 3_600)}h ${Math.floor((seconds % 3_600) / 60)}m`;
}

/** `2026-05-14 10:00:00`, in the machine's time zone. */
export function localTime(date: Date): string {
  return `${localDay(date)} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `2026-05-14T10:00:00.123456+02:00`. Date alone knows milliseconds. */
export function preciseTime(epochMs: number = performance.timeOrigin + performance.now()): string {
  const micros = Math.floor(epochMs * 1_000);
  const date = new Date(Math.floor(micros / 1_000));
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${localDay(date)}T${time}.${String(micros % 1_000_000).padStart(6, '0')}${zone}`;
}

function localDay(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
