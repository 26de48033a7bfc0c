import type { ResolvedWorkerOptions } from '../resolved-options.js';
import { readBeat, type Beat } from './beat.js';
import type { WorkerEnd } from './worker-end.js';

/** What a supervisor can do to a process that it has started. Neither fails where the process has gone. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  order(what: 'stop' | 'force' | 'pause' | 'resume'): void;
  /** By SIGKILL. */
  kill(): void;
}

/** What a started process calls. */
export interface WorkerEars {
  told(what: unknown): void;
  /** Once. */
  ended(code: number | null, signal: string | null, error?: Error): void;
}

/** Why a process is ended from outside. */
export type KillCause = 'grace' | 'silent' | 'forced';

/** What a worker may take beyond its grace: it gives up on a store that does not answer within this time by itself. */
const BEYOND_GRACE_MS = 10_000;
/** And beyond the longest time that a job may block it for, its watchdog included. */
const BEYOND_TIMEOUT_MS = 10_000;
/** What a process may take to begin, at the least. */
const BOOT_MS = 60_000;
/** A process that is larger than it may be, and does not notice. */
const TOO_LARGE_MS = 15_000;

/** One worker process, as its supervisor sees it. Times by `Clock.elapsed()`. */
export class SupervisedProcess {
  /** What it told last. */
  beat: Beat | undefined;
  #process: WorkerProcess | undefined;
  #silentMs = 0;
  #tooLargeMs = 0;
  #told = { sum: 0, count: 0 };
  #endingAt: number | undefined;
  #killed = false;

  constructor(
    readonly startedAt: number,
    private readonly options: Pick<ResolvedWorkerOptions, 'graceMs' | 'timeoutMs' | 'timeoutGraceMs' | 'memoryMb'>,
  ) {}

  attach(process: WorkerProcess): void {
    this.#process = process;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** It was told to end. */
  get ending(): boolean {
    return this.#endingAt !== undefined;
  }

  hear(what: unknown): void {
    const beat = readBeat(what);
    if (!beat) return;
    this.#silentMs = 0;
    this.#told = { sum: this.#told.sum + beat.busy, count: this.#told.count + 1 };
    // What is known of its end holds.
    this.beat =
      this.beat?.reason === undefined || beat.reason !== undefined ? beat : { ...beat, reason: this.beat.reason };
  }

  /** Slots in use since this was last asked, on average. */
  takeBusy(): number {
    const { sum, count } = this.#told;
    this.#told = { sum: 0, count: 0 };
    return count > 0 ? sum / count : (this.beat?.running ?? 0);
  }

  pause(paused: boolean): void {
    this.#process?.order(paused ? 'pause' : 'resume');
  }

  stop(now: number): void {
    if (this.ending) return;
    this.#endingAt = now;
    this.#process?.order('stop');
  }

  /** Its jobs go back at once. */
  force(now: number): void {
    this.#endingAt ??= now;
    this.#process?.order('force');
  }

  kill(now: number): void {
    this.#endingAt ??= now;
    this.#killed = true;
    this.#process?.kill();
  }

  /**
   * Looks after it.
   *
   * @param awakeMs since the last look, without the time in which this very process did not run
   * @returns what must be done now, if anything: end it by force and why, or let it end since it is too large
   */
  look(now: number, awakeMs: number): KillCause | 'memory' | undefined {
    if (this.#killed) return undefined;
    if (this.#endingAt !== undefined)
      return now - this.#endingAt >= this.options.graceMs + BEYOND_GRACE_MS ? 'grace' : undefined;
    this.#silentMs += awakeMs;
    if (this.#silentMs >= this.#patienceMs) return 'silent';
    const { memoryMb } = this.options;
    const tooLarge =
      memoryMb > 0 && this.beat !== undefined && this.beat.rss >= memoryMb && this.beat.state !== 'stopping';
    this.#tooLargeMs = tooLarge ? this.#tooLargeMs + awakeMs : 0;
    return this.#tooLargeMs >= TOO_LARGE_MS ? 'memory' : undefined;
  }

  end(now: number, code: number | null, signal: string | null, error?: Error): WorkerEnd {
    return {
      code,
      signal,
      reason: this.beat?.reason,
      livedMs: now - this.startedAt,
      processed: this.beat?.processed ?? 0,
      ...(error && { error }),
    };
  }

  /** A job may block it for as long as its timeout, after which its own watchdog ends it. */
  get #patienceMs(): number {
    const { timeoutMs, timeoutGraceMs } = this.options;
    const { patienceMs: told = 0, state = 'starting' } = this.beat ?? {};
    const boots = state === 'starting';
    // A job that has blocked it from its first moment could not be told of, and with a timeout of 0 it may do so for ever.
    if (told === null || (timeoutMs === 0 && !boots)) return Infinity;
    // Those with a longer timeout of their own are told of before they start.
    const patienceMs = Math.max(timeoutMs, told) + timeoutGraceMs + BEYOND_TIMEOUT_MS;
    return boots ? Math.max(patienceMs, BOOT_MS) : patienceMs;
  }
}
