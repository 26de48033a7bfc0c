import type { StopReason } from '../../contracts/worker-options.js';
import type { Clock } from '../../support/clock.js';
import { toError } from '../../support/error-text.js';
import type { PoolLoad } from './balance.js';
import { PoolGauge, type QueueLoad } from './pool-gauge.js';
import { StartGate } from './start-gate.js';
import { SupervisedProcess, type KillCause, type WorkerEars, type WorkerProcess } from './supervised-process.js';
import type { ResolvedSupervisor } from './supervisor-options.js';
import { diedAtOnce } from './worker-end.js';

/** What happens to a pool and its processes. */
export type PoolNote =
  | { readonly event: 'started'; readonly pid: number }
  | {
      readonly event: 'ended';
      readonly pid: number | undefined;
      readonly code: number | null;
      readonly signal: string | null;
      readonly reason: StopReason | undefined;
      readonly error: string | undefined;
      readonly livedMs: number;
      /** It was to end. */
      readonly expected: boolean;
      /** How long the pool waits before it starts another one, since the last ones died at once. */
      readonly waitMs: number;
    }
  | { readonly event: 'killed'; readonly pid: number | undefined; readonly cause: KillCause }
  | { readonly event: 'too-large'; readonly pid: number | undefined; readonly rss: number }
  | { readonly event: 'scaled'; readonly from: number; readonly to: number };

/** A pool at this moment. */
export interface PoolStatus {
  readonly supervisor: string;
  readonly connection: string;
  readonly queues: readonly string[];
  /** Those that work or start. */
  readonly processes: number;
  /** Those that were told to end and have not. */
  readonly ending: number;
  readonly slots: number;
  readonly running: number;
  /** `undefined` until the store has told. */
  readonly waiting: number | undefined;
  readonly processedPerMinute: number;
  readonly processed: number;
  readonly failed: number;
  /** Resident sets of its processes, in MB. */
  readonly memory: number;
}

export interface PoolServices {
  readonly clock: Clock;
  readonly spawn: (queues: readonly string[], ears: WorkerEars) => WorkerProcess;
  readonly tell: (note: PoolNote) => void;
  readonly random?: () => number;
  /** A process has gone, or new ones may be started. */
  readonly changed: () => void;
}

/** The processes that work the same queues. */
export class Pool {
  /** How many processes there should be. */
  wanted = 0;
  waiting: number | undefined;
  readonly #members = new Set<SupervisedProcess>();
  readonly #gate: StartGate;
  readonly #gauge = new PoolGauge();
  /** Of processes that have ended. */
  #past = { processed: 0, failed: 0, busyMs: 0 };
  #paused = false;

  constructor(
    readonly queues: readonly string[],
    private readonly options: ResolvedSupervisor,
    private readonly services: PoolServices,
  ) {
    this.#gate = new StartGate(services.random);
  }

  /** Those that work or start. */
  get present(): number {
    return this.#active().length;
  }

  /** All that exist. */
  get alive(): number {
    return this.#members.size;
  }

  /** The last ones that were started died at once. */
  get failing(): boolean {
    return this.#gate.failures > 0;
  }

  /** Starts what is missing, `room` processes at most. */
  fill(room: number): void {
    const now = this.services.clock.elapsed();
    const missing = Math.min(room, this.wanted - this.present);
    if (missing <= 0) return;
    const alive = [...this.#members].map((one) => one.startedAt);
    for (let left = this.#gate.room(now, missing, alive); left > 0; left--) this.#start(now);
  }

  /** @param by processes more, or fewer; those with the least to do end, the youngest first */
  scale(by: number): void {
    if (by === 0) return;
    const from = this.wanted;
    this.wanted += by;
    this.services.tell({ event: 'scaled', from, to: this.wanted });
    const now = this.services.clock.elapsed();
    const surplus = this.present - this.wanted;
    if (surplus <= 0) return;
    const running = (one: SupervisedProcess): number => one.beat?.running ?? 0;
    const idlest = this.#active().sort((a, b) => running(a) - running(b) || b.startedAt - a.startedAt);
    for (const one of idlest.slice(0, surplus)) one.stop(now);
  }

  stop(): void {
    this.wanted = 0;
    for (const one of this.#members) one.stop(this.services.clock.elapsed());
  }

  force(): void {
    this.wanted = 0;
    for (const one of this.#members) one.force(this.services.clock.elapsed());
  }

  kill(cause: KillCause): void {
    for (const one of this.#members) this.#kill(one, cause);
  }

  pause(paused: boolean): void {
    this.#paused = paused;
    for (const one of this.#members) one.pause(paused);
  }

  /** Once a second. @param awakeMs since the last time, without what this process has slept through */
  tick(awakeMs: number): void {
    const now = this.services.clock.elapsed();
    this.#gauge.count(now, this.#counts().processed);
    for (const one of this.#members) {
      const due = one.look(now, awakeMs);
      if (due === 'memory') {
        this.services.tell({ event: 'too-large', pid: one.pid, rss: one.beat!.rss });
        one.stop(now);
      } else if (due !== undefined) {
        this.#kill(one, due);
      } else {
        this.#gate.lives(one.startedAt, now);
      }
    }
  }

  /** What it has to do, now that the store has told. */
  load(told: QueueLoad, lateMs: number): PoolLoad {
    this.waiting = told.waiting;
    const { processed, busyMs } = this.#counts();
    const busy = this.#sum((one) => one.takeBusy());
    return this.#gauge.look(told, this.wanted, { busy, busyMs, processed }, lateMs);
  }

  status(): PoolStatus {
    const { name, connection, worker } = this.options;
    const { processed, failed } = this.#counts();
    const present = this.present;
    return {
      supervisor: name,
      connection,
      queues: this.queues,
      processes: present,
      ending: this.alive - present,
      slots: present * worker.concurrency,
      running: this.#sum((one) => one.beat?.running ?? 0),
      waiting: this.waiting,
      processedPerMinute: this.#gauge.perMinute(processed),
      processed,
      failed,
      memory: Math.round(this.#sum((one) => one.beat?.rss ?? 0)),
    };
  }

  #start(now: number): void {
    const { spawn, tell } = this.services;
    const member = new SupervisedProcess(now, this.options.worker);
    this.#members.add(member);
    let over = false;
    const ended = (code: number | null, signal: string | null, error?: Error): void => {
      if (over) return;
      over = true;
      this.#ended(member, code, signal, error);
    };
    try {
      const process = spawn(this.queues, { told: (what) => member.hear(what), ended });
      member.attach(process);
      if (process.pid !== undefined) tell({ event: 'started', pid: process.pid });
      if (this.#paused) member.pause(true);
    } catch (error) {
      ended(null, null, toError(error));
    }
  }

  #ended(member: SupervisedProcess, code: number | null, signal: string | null, error: Error | undefined): void {
    const now = this.services.clock.elapsed();
    const end = member.end(now, code, signal, error);
    this.#members.delete(member);
    const { processed = 0, failed = 0, busyMs = 0 } = member.beat ?? {};
    this.#past = {
      processed: this.#past.processed + processed,
      failed: this.#past.failed + failed,
      busyMs: this.#past.busyMs + busyMs,
    };
    const expected = member.ending;
    if (!expected && diedAtOnce(end)) this.#gate.died(member.startedAt, now);
    this.services.tell({
      event: 'ended',
      pid: member.pid,
      code,
      signal,
      reason: end.reason,
      error: error?.message,
      livedMs: Math.round(end.livedMs),
      expected,
      waitMs: expected ? 0 : Math.round(this.#gate.waits(now)),
    });
    this.services.changed();
  }

  #kill(one: SupervisedProcess, cause: KillCause): void {
    this.services.tell({ event: 'killed', pid: one.pid, cause });
    one.kill(this.services.clock.elapsed());
  }

  #active(): SupervisedProcess[] {
    return [...this.#members].filter((one) => !one.ending);
  }

  #counts(): { processed: number; failed: number; busyMs: number } {
    const { processed, failed, busyMs } = this.#past;
    return {
      processed: processed + this.#sum((one) => one.beat?.processed ?? 0),
      failed: failed + this.#sum((one) => one.beat?.failed ?? 0),
      busyMs: busyMs + this.#sum((one) => one.beat?.busyMs ?? 0),
    };
  }

  #sum(of: (one: SupervisedProcess) => number): number {
    let sum = 0;
    for (const one of this.#members) sum += of(one);
    return sum;
  }
}
