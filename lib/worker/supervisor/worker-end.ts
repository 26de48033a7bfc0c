import type { StopReason } from '../../contracts/worker-options.js';

/** How a worker process ended. */
export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** What it told, if it could. */
  readonly reason: StopReason | undefined;
  readonly livedMs: number;
  readonly processed: number;
  /** It could not be started. */
  readonly error?: Error;
}

/** A process that lived for so long did not die at once. */
export const LIVED_MS = 10_000;

/** Ends that are part of a worker's life, whenever they come. */
const ORDINARY: ReadonlySet<StopReason> = new Set([
  'max_jobs',
  'max_time',
  'restart_signal',
  'interrupted',
  'empty',
  'empty_for',
]);

/** Whether the process died at once, so that another one most likely would too. */
export function diedAtOnce({ reason, livedMs, processed, signal, error }: WorkerEnd): boolean {
  if (error) return true;
  if (livedMs >= LIVED_MS) return false;
  if (signal !== null || reason === undefined) return true;
  if (ORDINARY.has(reason)) return false;
  // Too large before its first job: so would be the next one.
  return reason === 'memory' ? processed === 0 : true;
}
