import type { StopReason } from '../../contracts/worker-options.js';

/** What a supervised worker tells of itself, once a second and when it ends. */
export interface Beat {
  readonly state: string;
  readonly running: number;
  /** Since its start, as `failed` and `busyMs`. */
  readonly processed: number;
  readonly failed: number;
  /** Time that its slots were in use, all together. */
  readonly busyMs: number;
  /** Slots in use since the last beat, on average. */
  readonly busy: number;
  /** Resident set in MB. */
  readonly rss: number;
  /** The longest time that one of its running jobs may keep the event loop for; `null` is no limit. */
  readonly patienceMs: number | null;
  /** Why it ended. */
  readonly reason?: StopReason;
}

const COUNTS = ['running', 'processed', 'failed', 'busyMs', 'busy', 'rss'] as const;

/** A beat among what a process tells; it comes from another process, and the application may write there too. */
export function readBeat(what: unknown): Beat | undefined {
  const beat = (what as { beat?: unknown } | null | undefined)?.beat;
  if (typeof beat !== 'object' || beat === null) return undefined;
  const { state, patienceMs, ...rest } = beat as Record<string, unknown>;
  const numbers = COUNTS.every((key) => typeof rest[key] === 'number' && rest[key] >= 0);
  if (!numbers || typeof state !== 'string' || !(patienceMs === null || typeof patienceMs === 'number'))
    return undefined;
  return beat as Beat;
}
