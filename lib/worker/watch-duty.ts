import type { StoreWatch } from '../contracts/backend.js';
import type { SettleResult } from '../contracts/queue-driver.js';
import { readMemo, writeMemo } from './attempt-memo.js';
import type { WatchBoard, WatchedRow } from './watch-board.js';

/** What a watchdog goes by. Milliseconds. */
export interface WatchTerms {
  readonly leaseMs: number;
  readonly graceMs: number;
  /** The process is the worker's own, or its application wants to end with a job that cannot be stopped. */
  readonly mayKill: boolean;
}

/** What a watchdog acts by. */
export interface WatchTools {
  /** As `Clock.elapsed()`. */
  readonly elapsed: () => number;
  readonly pause: (ms: number) => Promise<void>;
  /** What this attempt carries from those before it. */
  readonly memoOf: (row: WatchedRow) => string | undefined;
  /** One line for whoever runs the process. */
  readonly say: (line: string) => void;
  readonly kill: () => void;
}

type Release = Parameters<StoreWatch['release']>[0][number];

/** Between two looks at the board. */
const LONGEST_LOOK_MS = 1_000;
const SHORTEST_LOOK_MS = 20;
/** A loop that has been silent for less than this is busy, not blocked; a short lease makes it shorter. */
const BLOCKED_MS = 1_000;
/** How long the end of a process may be put off by a store that does not take its jobs back. */
const RELEASE_MS = 4_000;
const RELEASE_CALL_MS = 2_000;
const RELEASE_PAUSE_MS = 250;
const LONGEST_RENEWAL_MS = 5_000;

/**
 * What the watchdog does about a loop that is silent:
 *
 *   for a third of a lease            renews the leases, and again each third
 *   at a job's deadline and grace     gives the job back as timed out, the others uncounted, and ends the process
 *
 * Silence counts towards the end of the process only while this thread itself was at large: a process that was stopped as a whole, or a
 * machine that slept, has blocked nothing.
 */
export class WatchDuty {
  readonly #lookMs: number;
  /** Silence for this long is a blocked loop. Two looks at least: one alone cannot tell it from a process that was stopped. */
  readonly #blockedMs: number;
  #lookedAt: number | undefined;
  #beatSeen = -Infinity;
  #witnessedMs = 0;
  #renewedAt = -Infinity;
  #renewing = false;
  /** Everything has been given back and the process told to end. The first one of a container goes on all the same. */
  #over = false;
  /** Jobs that were given back without an end of the process. */
  readonly #given = new Map<number, number>();

  constructor(
    private readonly board: WatchBoard,
    private readonly store: StoreWatch,
    private readonly terms: WatchTerms,
    private readonly tools: WatchTools,
  ) {
    const { leaseMs, graceMs } = terms;
    this.#lookMs = Math.min(leaseMs / 6, LONGEST_LOOK_MS);
    this.#blockedMs = Math.max(Math.min(Math.max(graceMs, BLOCKED_MS), leaseMs / 3), 2 * this.#lookMs);
  }

  /** Looks at the board and does what is to be done. Answers in how many ms to look again. Never rejects. */
  async look(): Promise<number> {
    const { board, terms, tools } = this;
    if (this.#over) return this.#lookMs;
    const now = tools.elapsed();
    const beat = board.beat;
    const silentMs = now - beat;
    this.#witness(beat, now);
    const third = terms.leaseMs / 3;
    if (silentMs < Math.min(third, this.#blockedMs)) {
      this.#renewedAt = -Infinity;
      return this.#lookMs;
    }
    const rows = board.rows();
    if (this.#witnessedMs >= this.#blockedMs && silentMs >= this.#blockedMs) {
      const stuck = this.#suspects(rows, now).filter((row) => this.#isStuck(row, now));
      if (stuck.length > 0) {
        await (terms.mayKill ? this.#end(stuck, rows, beat) : this.#giveBack(stuck));
        this.#lookedAt = tools.elapsed();
        return this.#lookMs;
      }
    }
    if (silentMs >= third && now - this.#renewedAt >= third && !this.#renewing) {
      void this.#renew(this.#toKeep(rows, now, silentMs), now);
    }
    const deadlines = rows.map(({ deadline }) => deadline + terms.graceMs).filter((end) => end > now);
    const next = Math.min(silentMs < third ? beat + third : Infinity, ...deadlines) - now;
    return Math.max(SHORTEST_LOOK_MS, Math.min(this.#lookMs, next));
  }

  #witness(beat: number, now: number): void {
    const since = now - (this.#lookedAt ?? now);
    this.#witnessedMs = beat === this.#beatSeen ? this.#witnessedMs + Math.min(since, 1.25 * this.#lookMs) : 0;
    this.#beatSeen = beat;
    this.#lookedAt = now;
  }

  /** Those that may be blocking the loop: the one that does, where that is known. */
  #suspects(rows: readonly WatchedRow[], now: number): readonly WatchedRow[] {
    const entered = this.board.entered;
    const [blocker] = rows.filter(({ place }) => place === entered);
    if (blocker) return [blocker];
    // One that is still within its time may be the one that computes: it has the right to, and is not ended for another.
    const silentMs = now - this.board.beat;
    const within = ({ running, deadline }: WatchedRow): boolean =>
      running && (deadline === Infinity ? silentMs <= this.terms.leaseMs : deadline + this.terms.graceMs > now);
    return rows.some(within) ? [] : rows;
  }

  #isStuck({ running, deadline, place, version }: WatchedRow, now: number): boolean {
    return running && deadline + this.terms.graceMs <= now && this.#given.get(place) !== version;
  }

  /**
   * Whose lease goes on. No job is kept past its deadline and grace. One without a deadline is kept for one lease of silence. What waits
   * for a slot, or for the store's answer, is kept as long as any that runs.
   */
  #toKeep(rows: readonly WatchedRow[], now: number, silentMs: number): readonly WatchedRow[] {
    const soon = silentMs <= this.terms.leaseMs;
    const alive = ({ deadline }: WatchedRow): boolean =>
      deadline === Infinity ? soon : deadline + this.terms.graceMs > now;
    const anyAlive = soon || rows.some((row) => row.running && alive(row));
    return rows.filter((row) => (row.running ? alive(row) : anyAlive));
  }

  async #renew(rows: readonly WatchedRow[], now: number): Promise<void> {
    if (rows.length === 0) return;
    const { leaseMs } = this.terms;
    this.#renewing = true;
    try {
      const answers = await this.#within(this.store.renew(rows, leaseMs), Math.min(LONGEST_RENEWAL_MS, leaseMs / 6));
      answers?.forEach((answer, at) => answer.ok && this.board.renewed(rows[at]!, now));
      // Where the store has not answered for all, the next look tries again.
      if (answers && !answers.some(isError)) this.#renewedAt = now;
    } finally {
      this.#renewing = false;
    }
  }

  async #end(stuck: readonly WatchedRow[], rows: readonly WatchedRow[], beat: number): Promise<void> {
    const others = rows.filter((row) => !stuck.includes(row));
    const isBack = (): boolean => this.board.beat !== beat;
    const releases = [
      ...stuck.map((row) => this.#timedOut(row)),
      ...others.map(({ id, queue, token }): Release => ({ id, queue, token, delayMs: 0, countAttempt: false })),
    ];
    const { taken, left } = await this.#release(releases, isBack);
    // It went on in the last moment, and keeps its jobs.
    if (!taken && isBack()) return;
    const also = others.length > 0 ? ` It takes ${jobs(others.length)} along, uncounted, which will run again.` : '';
    const kept = left
      ? ' The store did not take its jobs back: they run again when their leases have run out.'
      : ` The job counts as timed out.${also}`;
    this.tools.say(`${this.#blame(stuck)} The process is ended (SIGKILL).${kept}`);
    this.#over = true;
    this.tools.kill();
  }

  async #giveBack(stuck: readonly WatchedRow[]): Promise<void> {
    for (const { place, version } of stuck) this.#given.set(place, version);
    const { taken } = await this.#release(
      stuck.map((row) => this.#timedOut(row)),
      () => false,
    );
    if (!taken) return;
    this.tools.say(
      `${this.#blame(stuck)} The job counts as timed out and goes back to its queue. The process is the application's, so it is left alone, and stays blocked; with exitWhenStuck: true it would be ended.`,
    );
  }

  /** `taken`: some were taken back. `left`: some were not, since the store failed. */
  async #release(releases: readonly Release[], isBack: () => boolean): Promise<{ taken: boolean; left: boolean }> {
    const { tools } = this;
    const until = tools.elapsed() + RELEASE_MS;
    let left = releases;
    let taken = false;
    for (;;) {
      const answers = await this.#within(this.store.release(left), RELEASE_CALL_MS);
      if (answers) {
        taken ||= answers.some(({ ok }) => ok);
        left = left.filter((_, at) => isError(answers[at]));
      }
      if (left.length === 0 || tools.elapsed() >= until || (!taken && isBack())) break;
      await tools.pause(RELEASE_PAUSE_MS);
    }
    return { taken, left: left.length > 0 };
  }

  #timedOut(row: WatchedRow): Release {
    const { id, queue, token, delayMs, timeoutMs } = row;
    const memo = writeMemo({ ...readMemo(this.tools.memoOf(row)), timedOut: timeoutMs });
    return { id, queue, token, delayMs, countAttempt: true, memo };
  }

  #blame([first, ...more]: readonly WatchedRow[]): string {
    const { id, timeoutMs } = first!;
    // A name comes out of the store, and may hold anything.
    const name = first!.displayName.replaceAll(/[^ -~]/g, '?');
    const also = more.length > 0 ? ` and ${jobs(more.length)} beside it` : '';
    const blocked = seconds(this.tools.elapsed() - this.board.beat);
    return `nestjs-queue: ${name} [${id}]${also} ran past its timeout of ${seconds(timeoutMs)} and the grace of ${seconds(this.terms.graceMs)}, and the event loop has been blocked for ${blocked}.`;
  }

  /** `undefined` where it fails or takes longer. */
  async #within(work: Promise<readonly SettleResult[]>, limitMs: number): Promise<readonly SettleResult[] | undefined> {
    const answer = work.catch(() => undefined);
    return Promise.race([answer, this.tools.pause(limitMs).then(() => undefined)]);
  }
}

function isError(answer: SettleResult | undefined): boolean {
  return answer === undefined || (!answer.ok && answer.reason === 'error');
}

function jobs(count: number): string {
  return count === 1 ? '1 other job' : `${count} other jobs`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
