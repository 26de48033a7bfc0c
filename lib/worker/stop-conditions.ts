import type { StopReason } from '../contracts/worker-options.js';

/** What the worker knows between jobs. Milliseconds. */
export interface WorkerFacts {
  readonly lostConnection: boolean;
  readonly interrupted: boolean;
  /** A handler did not end by its signal and was left behind. */
  readonly stuck: boolean;
  readonly residentMb: () => number;
  readonly restarted: boolean;
  /** The last look found nothing, and nothing runs. */
  readonly idle: boolean;
  readonly idleForMs: number;
  readonly elapsedMs: number;
  readonly taken: number;
}

export interface StopLimits {
  readonly memoryMb: number;
  readonly stopWhenEmpty: boolean;
  readonly stopWhenEmptyForMs: number;
  readonly maxTimeMs: number;
  readonly maxJobs: number;
}

/** Why the worker ends now, if it does: the first that holds, in Laravel's order. */
export function stopReason(facts: WorkerFacts, limits: StopLimits): StopReason | undefined {
  if (facts.lostConnection) return 'lost_connection';
  if (facts.interrupted) return 'interrupted';
  if (facts.stuck) return 'timed_out';
  if (limits.memoryMb > 0 && facts.residentMb() >= limits.memoryMb) return 'memory';
  if (facts.restarted) return 'restart_signal';
  if (limits.stopWhenEmpty && facts.idle) return 'empty';
  if (limits.stopWhenEmptyForMs > 0 && facts.idle && facts.idleForMs >= limits.stopWhenEmptyForMs) return 'empty_for';
  if (limits.maxTimeMs > 0 && facts.elapsedMs >= limits.maxTimeMs) return 'max_time';
  if (limits.maxJobs > 0 && facts.taken >= limits.maxJobs) return 'max_jobs';
  return undefined;
}

/** The exit code of a process whose worker ended so, Laravel's. */
export function exitCodeOf(reason: StopReason): number {
  if (reason === 'memory') return 12;
  return reason === 'timed_out' ? 1 : 0;
}

/** What the process takes of the machine's memory, in MB. */
export function residentMb(): number {
  return process.memoryUsage.rss() / 1_048_576;
}
