import type { ReservedJob } from '../contracts/queue-driver.js';
import type { Clock } from '../support/clock.js';
import { type Link, LiveList } from '../support/live-list.js';
import type { Heartbeat, Leased } from './heartbeat.js';
import type { JobDeadlines } from './job-deadlines.js';
import type { AttemptEnd, RunningAttempt } from './running-attempt.js';
import type { Watchdog } from './watchdog.js';
import type { LeaseLostError } from './worker-errors.js';

/** A reservation of this worker, running or waiting for a slot. */
export class Slot implements Leased {
  attempt: RunningAttempt | undefined;
  held: Link<Leased> | undefined = undefined;
  heldAt = 0;
  running: Link<Slot> | undefined = undefined;
  /** Where the watchdog has it, if it does. */
  #place: number | undefined;

  constructor(
    readonly reserved: ReservedJob,
    private readonly dropped: (slot: Slot) => void,
    private readonly watchdog: Watchdog | undefined,
  ) {
    this.#place = watchdog?.hold(reserved);
  }

  get displayName(): string {
    return this.attempt?.context.displayName ?? `Job ${this.reserved.id}`;
  }

  get renewedElsewhere(): number {
    return this.#place === undefined ? 0 : this.watchdog!.renewedAt(this.#place);
  }

  begin(attempt: RunningAttempt): void {
    this.attempt = attempt;
    if (this.#place !== undefined) this.watchdog!.start(this.#place, attempt);
  }

  /** Runs the handler's first stretch. */
  enter(start: () => void): void {
    if (this.#place === undefined) return start();
    this.watchdog!.entered(this.#place);
    start();
    this.watchdog!.entered();
  }

  over(): void {
    if (this.#place !== undefined) this.watchdog!.over(this.#place);
  }

  unwatch(): void {
    if (this.#place === undefined) return;
    this.watchdog!.clear(this.#place);
    this.#place = undefined;
  }

  lost(error: LeaseLostError): void {
    if (this.attempt) this.attempt.context.abort(error);
    else this.dropped(this);
  }
}

/**
 * The worker's slots: at most `size` attempts run, at most `prefetch` more reservations wait behind them.
 *
 * A slot is free again as soon as its handler is over, so that its ack and the next claim go in one trip; a failed job keeps it until
 * its `failed()` is over.
 */
export class Slots {
  readonly #running = new LiveList<'running', Slot>('running');
  #waiting: Slot[] = [];
  #finishing = 0;
  #resting = 0;
  #held = false;

  constructor(
    private readonly size: number,
    private readonly prefetch: number,
    private readonly restMs: number,
    private readonly clock: Clock,
    private readonly heartbeat: Heartbeat,
    private readonly deadlines: JobDeadlines,
    private readonly prepare: (reserved: ReservedJob) => RunningAttempt,
    private readonly start: (attempt: RunningAttempt) => void,
    private readonly finish: (end: AttemptEnd, reserved: ReservedJob, settled: () => void) => Promise<void>,
    /** A slot has become free, or the last attempt is over. */
    private readonly changed: () => void,
    private readonly watchdog?: Watchdog,
  ) {}

  /** How many more jobs there is room for. */
  get room(): number {
    return this.size + this.prefetch - this.#running.size - this.#resting - this.#waiting.length;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Reservations that have no slot yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Nothing runs, waits, or has something still to follow. */
  get empty(): boolean {
    return this.#running.size === 0 && this.#waiting.length === 0 && this.#finishing === 0;
  }

  add(jobs: readonly ReservedJob[]): void {
    const dropped = (lost: Slot): void => {
      this.#waiting = this.#waiting.filter((one) => one !== lost);
      lost.unwatch();
      this.changed();
    };
    // All leases are looked after before the first handler begins: it may block.
    const slots = jobs.map((reserved) => new Slot(reserved, dropped, this.watchdog));
    for (const slot of slots) this.heartbeat.add(slot);
    for (const slot of slots) {
      if (!this.#held && this.#running.size + this.#resting < this.size) this.#run(slot);
      else this.#waiting.push(slot);
    }
  }

  /** What waits for a slot gets none any more. */
  hold(): void {
    this.#held = true;
  }

  /** Takes back what waits for a slot. */
  takeWaiting(): readonly ReservedJob[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const slot of waiting) this.#letGo(slot);
    return waiting.map((slot) => slot.reserved);
  }

  *attempts(): IterableIterator<RunningAttempt> {
    for (const slot of this.#running.all()) if (slot.attempt) yield slot.attempt;
  }

  #run(slot: Slot): void {
    this.#running.add(slot);
    const attempt = this.prepare(slot.reserved);
    slot.begin(attempt);
    this.deadlines.add(attempt);
    void attempt.ended.then((end) => this.#ended(slot, attempt, end));
    slot.enter(() => this.start(attempt));
  }

  #ended(slot: Slot, attempt: RunningAttempt, end: AttemptEnd): void {
    this.deadlines.remove(attempt);
    slot.over();
    this.#finishing += 1;
    // From the store's answer on there is no lease to keep, though `failed()` may still run.
    const settled = (): void => this.#letGo(slot);
    const finished = this.finish(end, slot.reserved, settled).then(() => {
      this.#finishing -= 1;
      if (this.#finishing === 0) this.changed();
    });
    if (end.outcome.kind === 'failed') void finished.then(() => this.#rest(slot));
    else this.#rest(slot);
  }

  #letGo(slot: Slot): void {
    this.heartbeat.remove(slot);
    slot.unwatch();
  }

  #rest(slot: Slot): void {
    this.#running.delete(slot);
    if (this.restMs > 0) {
      this.#resting += 1;
      this.clock.after(this.restMs, () => {
        this.#resting -= 1;
        this.#next();
      });
      // Nothing runs in a slot that rests: a worker that is to end need not wait for it.
      this.changed();
    } else {
      this.#next();
    }
  }

  #next(): void {
    const next = this.#held ? undefined : this.#waiting.shift();
    if (next) this.#run(next);
    this.changed();
  }
}
