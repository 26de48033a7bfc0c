import { Looping, WorkerIdle, WorkerStarting } from '../contracts/queue-events.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import type { StopReason, WorkerStatus } from '../contracts/worker-options.js';
import { backoffMs } from '../support/backoff.js';
import { Alarm } from './alarm.js';
import { askLooping } from './ask-looping.js';
import { ControlWatch } from './control-watch.js';
import { Drain } from './drain.js';
import type { Intake } from './intake.js';
import type { ResolvedWorkerOptions } from './resolved-options.js';
import type { AttemptEnd, RunningAttempt } from './running-attempt.js';
import type { Settler } from './settler.js';
import type { Slots } from './slots.js';
import { residentMb, stopReason } from './stop-conditions.js';
import { Tally, type WorkerVitals } from './tally.js';
import { reachStore, workerParts, type WorkerParts, type WorkerServices } from './worker-parts.js';

/** How long a worker without a free slot sleeps, where nothing wakes it before. */
const LONGEST_NAP_MS = 3_000;

/**
 * One worker of one connection.
 *
 *   starting ──▶ running ◀──▶ paused          by signal, by mark, by a Looping listener
 *      │            │            │
 *      └────────────┴─────┬──────┘            stop(), a mark, a limit
 *                         ▼
 *                     stopping ──▶ stopped    nothing is claimed; what runs is waited for, then handed back
 */
export class Worker {
  #state: 'starting' | 'running' | 'paused' | 'stopping' | 'stopped' = 'starting';
  /** When it was told to stop, by `Clock.elapsed()`. */
  #toldAt: number | undefined;
  #signalPaused = false;
  #lostConnection = false;
  #idle = false;
  #failures = 0;
  readonly #tally: Tally;
  readonly #forced = new AbortController();
  readonly #alarm: Alarm;
  /** Absent until the store has been reached. */
  #parts: WorkerParts | undefined;
  #slots!: Slots;
  #settler!: Settler;
  #intake!: Intake;
  #control!: ControlWatch;
  #run: Promise<StopReason> | undefined;
  #drain: Drain | undefined;

  constructor(
    private readonly services: WorkerServices,
    readonly options: ResolvedWorkerOptions,
  ) {
    this.#tally = new Tally(services.clock);
    this.#alarm = new Alarm(services.clock);
  }

  get connectionName(): string {
    return this.services.connection.name;
  }

  get queueList(): string {
    return this.options.queues.join(',');
  }

  /** Works until a stop condition holds. Rejects where it cannot begin: a missing package, missing tables, a wrong option. */
  run(): Promise<StopReason> {
    this.#run ??= this.#live();
    return this.#run;
  }

  /** Claims nothing more and ends when its jobs have, at the latest after `grace`. */
  stop(): void {
    this.#toldAt ??= this.services.clock.elapsed();
    this.#slots?.hold();
    this.#wake();
    this.#drain?.hurry();
  }

  pause(): void {
    this.#signalPaused = true;
    this.#wake();
  }

  resume(): void {
    this.#signalPaused = false;
    this.#wake();
  }

  /** Hands everything back to the store now. */
  force(): void {
    this.stop();
    this.#forced.abort();
    for (const attempt of this.attempts()) attempt.handOn();
  }

  /** The attempts under way, for signals to jobs and stray errors. */
  attempts(): readonly RunningAttempt[] {
    return [...(this.#slots?.attempts() ?? [])];
  }

  status(): WorkerStatus {
    return this.#tally.status(this.#state, this.#slots?.running ?? 0);
  }

  vitals(): WorkerVitals {
    return this.#tally.vitals(this.status(), this.services.connection, this.options);
  }

  async #live(): Promise<StopReason> {
    // Timers of this package never keep a process alive; a worker does.
    const alive = setInterval(() => {}, 2 ** 30);
    try {
      if (!(await this.#begin())) return this.#ended('interrupted');
      const reason = await this.#loop();
      await this.#end(reason);
      // What has come up meanwhile, such as a job that had to be left behind, may weigh more.
      return this.#ended(this.#reasonToStop() ?? reason);
    } finally {
      clearInterval(alive);
      this.#state = 'stopped';
      this.#control?.stop();
      this.#parts?.heartbeat.stop();
      this.#parts?.deadlines.stop();
      this.#parts?.watchdog?.stop();
    }
  }

  /** False when told to stop first. */
  async #begin(): Promise<boolean> {
    const { services, options } = this;
    const { clock, connection, hub, report } = services;
    const control = await reachStore(services, this.#alarm, () => this.#toldAt !== undefined);
    if (control === 'stopped') return false;
    const [driver, backend] = await Promise.all([connection.queue(), connection.backend()]);
    this.#parts = workerParts(driver, backend, services, options, {
      alarm: this.#alarm,
      forced: this.#forced.signal,
      ended: (end) => this.#count(end),
      arrived: (jobs) => this.#take(jobs),
    });
    ({ slots: this.#slots, settler: this.#settler, intake: this.#intake } = this.#parts);
    const { queues, sleepMs } = options;
    this.#control = new ControlWatch(control, connection, queues, sleepMs, clock, hub, report, this.#wake);
    hub.emit(new WorkerStarting(connection.name, this.queueList, options.given));
    this.#settler.taking = true;
    this.#state = 'running';
    return true;
  }

  async #loop(): Promise<StopReason> {
    const { options, services } = this;
    for (;;) {
      this.#alarm.heed();
      if (this.#control.due) await this.#control.look();
      const reason = this.#reasonToStop();
      if (reason) {
        await this.#intake.quiet(this.#forced.signal);
        return reason;
      }
      const paused = this.#isPaused();
      const left = options.maxJobs > 0 ? options.maxJobs - this.#tally.taken : Infinity;
      const room = Math.min(this.#slots.room, left) - this.#intake.asked;
      if (!paused && (room <= 0 || this.#intake.busy)) {
        // A freed slot hands in its job with the next claim, in one trip; behind the last job there is none.
        await (left > 0 ? this.#alarm.nap(LONGEST_NAP_MS) : this.#sleep(LONGEST_NAP_MS));
        continue;
      }
      if (paused || (services.hub.heard(Looping) && !(await this.#looping()))) {
        this.#state = 'paused';
        await this.#sleep(options.sleepMs > 0 ? options.sleepMs : 1_000);
        // A pause is no reason to wait: a worker that ends when there is nothing to do ends, as Laravel's does.
        this.#idle = this.#slots.empty;
        continue;
      }
      this.#state = 'running';
      if (this.#intake.inHalves && !this.#alarm.urgent) {
        this.#intake.begin(this.#openQueues(), room);
        continue;
      }
      // What ends while the store is asked may bring a job that the answer does not know of: only a look that began quiet counts.
      const quiet = this.#quiet;
      const { jobs, waited } = await this.#ask(room);
      this.#take(jobs);
      this.#idle = waited && jobs.length === 0 && quiet && this.#quiet;
      if (waited && jobs.length === 0 && !this.#lostConnection) {
        services.hub.emit(new WorkerIdle(this.connectionName, this.queueList, options.given));
        // Nothing is due, something runs, and a look that may not wait would come round at once.
        if (options.stopWhenEmpty && !this.#quiet) await this.#alarm.nap(options.sleepMs || 1_000);
      }
    }
  }

  #take(jobs: readonly ReservedJob[]): void {
    if (this.#toldAt !== undefined) return this.#settler.giveBack(jobs);
    this.#tally.taken += jobs.length;
    this.#slots.add(jobs);
  }

  async #ask(room: number): Promise<{ jobs: readonly ReservedJob[]; waited: boolean }> {
    const { services, options } = this;
    try {
      // Told to stop or pause since the loop last looked: it must look again before it waits.
      if (this.#alarm.urgent) return { jobs: [], waited: false };
      const taken = await this.#intake.take(this.#openQueues(), room, this.#waitMs());
      this.#failures = 0;
      return taken;
    } catch (error) {
      services.report('The store could not be asked for jobs; trying again', error);
      this.#lostConnection = options.stopOnLostConnection;
      await this.#sleep(backoffMs(this.#failures++, 100, 3_000));
      // No answer is not an empty queue.
      return { jobs: [], waited: false };
    }
  }

  get #quiet(): boolean {
    return this.#slots.empty && this.#settler.open === 0;
  }

  #waitMs(): number {
    const { options, services } = this;
    if (options.stopWhenEmpty) return 0;
    const now = services.clock.elapsed();
    let wait = services.connection.blockForMs ?? options.sleepMs;
    if (options.maxTimeMs > 0) wait = Math.min(wait, this.#tally.begun + options.maxTimeMs - now);
    // What still runs is something to do: the wait for an empty queue begins when it has ended.
    if (options.stopWhenEmptyForMs > 0 && this.#quiet)
      wait = Math.min(wait, this.#tally.quietSince + options.stopWhenEmptyForMs - now);
    return Math.max(1, wait);
  }

  #isPaused(): boolean {
    if (this.options.force) return false;
    return this.#signalPaused || this.#control.allPaused || this.#openQueues().length === 0;
  }

  #looping(): Promise<boolean> {
    const event = new Looping(this.connectionName, this.queueList, this.options.given);
    return askLooping(event, this.services.hub, this.#alarm, this.services.clock);
  }

  #openQueues(): readonly string[] {
    return this.options.force ? this.options.queues : this.#control.open;
  }

  #reasonToStop(): StopReason | undefined {
    const now = this.#tally.turn();
    return stopReason(
      {
        lostConnection: this.#lostConnection,
        interrupted: this.#toldAt !== undefined,
        stuck: this.#tally.stuck,
        residentMb,
        restarted: this.#control.restarted,
        idle: this.#idle,
        idleForMs: now - this.#tally.quietSince,
        elapsedMs: now - this.#tally.begun,
        // Those that wait for a slot are still to come.
        taken: this.#tally.taken - this.#slots.waiting,
      },
      this.options,
    );
  }

  #count(end: AttemptEnd): void {
    this.#tally.count(end);
    if (end.stuck) this.#slots.hold();
  }

  /** Waits for what runs; hands back what does not end in time. */
  async #end(reason: StopReason): Promise<void> {
    this.#state = 'stopping';
    this.#slots.hold();
    this.#settler.taking = false;
    this.#settler.giveBack(this.#slots.takeWaiting());
    const { clock } = this.services;
    this.#drain = new Drain(this.#slots, this.#settler, this.#alarm, this.#forced, this.options.graceMs, clock);
    const passedMs = clock.elapsed() - (this.#toldAt ?? clock.elapsed());
    if (this.#toldAt !== undefined || reason === 'lost_connection') this.#drain.hurry(passedMs);
    await this.#drain.run();
  }

  #ended(reason: StopReason): StopReason {
    this.services.hub.emit(this.#tally.stopping(reason, this.options.given));
    return reason;
  }

  /** No claim comes soon, so what is to be handed in goes by itself. */
  async #sleep(ms: number): Promise<void> {
    this.#settler.taking = false;
    await this.#alarm.nap(ms);
    this.#settler.taking = true;
  }

  readonly #wake = (): void => {
    this.#alarm.tell();
    this.#intake?.interrupt();
  };
}
