import type { KillCause } from '../worker/supervisor/supervised-process.js';
import type { PoolStatus } from '../worker/supervisor/pool.js';
import type { SupervisorNote } from '../worker/supervisor/supervisor.js';
import { clean, cleanJson } from './style.js';
import type { Column } from './table.js';
import { localTime, preciseTime, runtime } from './work-line-format.js';

const KILLED: Readonly<Record<KillCause, string>> = {
  grace: 'did not end within its grace',
  silent: 'has not told anything for longer than a job may run',
  forced: 'did not give its jobs back in time',
};

/** Whether somebody should look at it. */
export function isTrouble(note: SupervisorNote): boolean {
  if (note.event === 'ended') return !note.expected && (note.signal !== null || note.code !== 0 || note.waitMs > 0);
  return note.event === 'killed' || note.event === 'too-large' || note.event === 'blind';
}

/** `2026-05-14 10:00:00 main [high] worker 4711 started` */
export function noteLine(note: SupervisorNote, now = new Date()): string {
  const where = 'queues' in note ? `${note.supervisor} [${note.queues.join(',')}]` : note.supervisor;
  return clean(`${localTime(now)} ${where} ${told(note)}`);
}

function told(note: SupervisorNote): string {
  switch (note.event) {
    case 'started':
      return `worker ${note.pid} started`;
    case 'scaled':
      return `scaled from ${note.from} to ${note.to} ${note.to === 1 ? 'process' : 'processes'}`;
    case 'killed':
      return `worker ${note.pid} ${KILLED[note.cause]}: killed`;
    case 'too-large':
      return `worker ${note.pid} has grown to ${Math.round(note.rss)} MB: it ends after its jobs`;
    case 'ended':
      return `${ended(note)}${note.waitMs > 0 ? `; the next one starts in ${(note.waitMs / 1_000).toFixed(1)} s` : ''}`;
    case 'paused':
    case 'resumed':
      return note.event;
    case 'stopping':
      return 'told to end: its workers end after their jobs';
    case 'stopped':
      return 'has ended';
    case 'blind':
      return `cannot see how much is waiting, and leaves its processes as they are: ${note.error}`;
  }
}

function ended(note: Extract<SupervisorNote, { event: 'ended' }>): string {
  if (note.pid === undefined) return `a worker could not be started: ${note.error ?? 'no reason is known'}`;
  const who = `worker ${note.pid}`;
  const after = `after ${runtime(note.livedMs)}`;
  if (note.signal !== null) return `${who} was ended by ${note.signal} ${after}`;
  const why = note.reason === undefined || (note.expected && note.reason === 'interrupted') ? '' : ` (${note.reason})`;
  return note.code === 0 ? `${who} ended${why} ${after}` : `${who} ended with code ${note.code}${why} ${after}`;
}

/** One JSON object; what is empty is left out. */
export function noteJson(note: SupervisorNote, timestamp = preciseTime()): string {
  const { supervisor, connection, event, ...rest } = note;
  return cleanJson(JSON.stringify({ event, supervisor, connection, ...rest, timestamp }));
}

/** The figures of a pool as a JSON object. */
export function statusJson(status: PoolStatus, timestamp = preciseTime()): string {
  return cleanJson(JSON.stringify({ event: 'status', ...status, timestamp }));
}

/** The columns of the live table. */
export const STATUS_COLUMNS: readonly Column<PoolStatus>[] = [
  { title: 'Supervisor', value: (one) => one.supervisor, atLeast: 8 },
  { title: 'Queue', value: (one) => `${one.connection}:${one.queues.join(',')}`, atLeast: 12, colour: 'blue' },
  { title: 'Processes', value: (one) => `${one.processes}${one.ending > 0 ? ` (+${one.ending} ending)` : ''}` },
  { title: 'Slots', value: (one) => String(one.slots) },
  { title: 'Running', value: (one) => String(one.running), colour: 'yellow' },
  { title: 'Waiting', value: (one) => (one.waiting === undefined ? '?' : String(one.waiting)) },
  { title: 'Done/min', value: (one) => String(one.processedPerMinute), colour: 'green' },
  { title: 'Failed', value: (one) => String(one.failed), colour: 'red' },
  { title: 'Memory', value: (one) => `${one.memory} MB`, colour: 'gray' },
];
