import type { StopReason } from '../contracts/worker-options.js';
import type { WorkerVitals } from '../worker/tally.js';

/** `stuck`: a handler did not end by its signal; `blocked`: its loop has not come round; `ended`: it is gone and should not be. */
export type WorkerFault = 'stuck' | 'blocked' | 'ended';

export interface WorkerHealth {
  readonly connection: string;
  readonly queues: readonly string[];
  /** As `WorkerStatus.state`. */
  readonly state: string;
  readonly running: number;
  readonly processed: number;
  readonly failed: number;
  readonly since: Date;
  readonly lastJobAt: Date | null;
  readonly fault?: WorkerFault;
  /** Why it has ended, where it has: `'error'` where it could not start. */
  readonly end?: StopReason | 'error';
}

/** How long a worker's loop may be late, ms: a job may block it for a while, and a store may take its time. */
const BLOCKED_MS = 30_000;
/** No worker should end so, whoever started it. */
const BAD_ENDS: ReadonlySet<string> = new Set(['timed_out', 'lost_connection', 'error']);

/**
 * What is known of the workers without asking a store.
 *
 * @param expected a worker is to run in this process
 */
export function workerHealth(
  vitals: readonly WorkerVitals[],
  expected: boolean,
): { readonly workers: readonly WorkerHealth[]; readonly problems: readonly string[] } {
  const none = vitals.every(({ end }) => end !== undefined);
  const problems: string[] = [];
  const workers = vitals.map(({ stuck, overdueMs, ...shown }): WorkerHealth => {
    const at = `The worker on ${shown.connection}, queue ${shown.queues.join(',')}`;
    if (shown.end !== undefined) {
      if (!BAD_ENDS.has(shown.end) && !(expected && none)) return shown;
      problems.push(`${at} has ended (${shown.end}). Restart the process to work jobs again.`);
      return { ...shown, fault: 'ended' };
    }
    if (stuck) {
      problems.push(`${at} is stuck: a job did not end by its signal, and no more are taken. Restart the process.`);
      return { ...shown, fault: 'stuck' };
    }
    if (overdueMs > BLOCKED_MS) {
      problems.push(
        `${at} is blocked: its loop is ${Math.round(overdueMs / 1_000)} s late, by a job that blocks the process or a store that does not answer.`,
      );
      return { ...shown, fault: 'blocked' };
    }
    return shown;
  });
  if (expected && vitals.length === 0) problems.push('No worker runs in this process, though one is to.');
  return { workers, problems };
}
