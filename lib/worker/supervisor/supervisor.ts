import { errorLine } from '../../support/error-text.js';
import { evenly, step, targets } from './balance.js';
import { Pool, type PoolNote, type PoolServices, type PoolStatus } from './pool.js';
import type { QueueLoad } from './pool-gauge.js';
import type { ResolvedSupervisor } from './supervisor-options.js';

const TICK_MS = 1_000;
/** The store is asked how much is waiting at least this often. */
const LOOK_MS = 3_000;
/** What a backlog may take without more processes, at the most. */
const CLEAR_MS = 5_000;
/** How long the workers may take to hand their jobs back when nobody wants to wait any longer. */
const FORCE_MS = 2_500;

/** What happens under a supervisor. */
export type SupervisorNote = { readonly supervisor: string; readonly connection: string } & Happening;

type Happening =
  | ({ readonly queues: readonly string[] } & PoolNote)
  | { readonly event: 'paused' | 'resumed' | 'stopping' | 'stopped' }
  /** The store has not told how much is waiting: the processes stay as they are. */
  | { readonly event: 'blind'; readonly error: string };

export interface SupervisorServices extends Pick<PoolServices, 'clock' | 'spawn' | 'random'> {
  /** Aligned with the queues. */
  readonly loads: (queues: readonly string[]) => Promise<readonly QueueLoad[]>;
  readonly tell: (note: SupervisorNote) => void;
}

/**
 * Keeps worker processes running: starts what is missing, ends what is too much, and looks after those that are there.
 *
 *   running ◀──▶ paused     by signal: nothing is added or taken away, what dies is replaced
 *      └────┬──────┘        stop()
 *           ▼
 *       stopping ──▶ stopped
 */
export class Supervisor {
  readonly #pools: readonly Pool[];
  #state: 'running' | 'paused' | 'stopping' | 'stopped' = 'running';
  #steppedAt = -Infinity;
  #tickedAt: number;
  #lookedAt = -Infinity;
  #looking = false;
  #blind = false;
  #offTick: () => void = () => {};
  #finish!: () => void;
  readonly #over: Promise<void>;

  constructor(
    readonly options: ResolvedSupervisor,
    private readonly services: SupervisorServices,
  ) {
    const { clock, spawn, random } = services;
    this.#tickedAt = clock.elapsed();
    this.#over = new Promise((resolve) => (this.#finish = resolve));
    this.#pools = options.pools.map((queues) => {
      const tell = (note: PoolNote): void => this.#tell({ queues, ...note });
      return new Pool(queues, options, {
        clock,
        spawn,
        tell,
        changed: () => this.#changed(),
        ...(random && { random }),
      });
    });
  }

  /** Starts the least number of processes. Resolves when it was told to stop, and all have ended. */
  run(): Promise<void> {
    const { balance, maxProcesses, minProcesses } = this.options;
    const fixed = evenly(maxProcesses, this.#pools.length);
    this.#pools.forEach((pool, at) => (pool.wanted = balance === 'simple' ? fixed[at]! : minProcesses));
    this.#steppedAt = this.services.clock.elapsed();
    this.#fill();
    this.#arm();
    return this.#over;
  }

  /** Every process ends after its jobs, at the latest after the grace. No new one is started. */
  stop(): void {
    if (this.#state === 'stopping' || this.#state === 'stopped') return;
    this.#state = 'stopping';
    this.#tell({ event: 'stopping' });
    for (const pool of this.#pools) pool.stop();
    this.#changed();
  }

  /** Hands every running job back now. Resolves when the processes have ended, or were ended. */
  async force(): Promise<void> {
    this.stop();
    for (const pool of this.#pools) pool.force();
    const off = this.services.clock.after(FORCE_MS, () => {
      for (const pool of this.#pools) pool.kill('forced');
    });
    await this.#over;
    off();
  }

  /** No worker takes a job until `resume()`. */
  pause(): void {
    if (this.#state === 'running') this.#pause(true);
  }

  resume(): void {
    if (this.#state === 'paused') this.#pause(false);
  }

  /** One for each pool. */
  status(): readonly PoolStatus[] {
    return this.#pools.map((pool) => pool.status());
  }

  #pause(paused: boolean): void {
    this.#state = paused ? 'paused' : 'running';
    for (const pool of this.#pools) pool.pause(paused);
    this.#tell({ event: paused ? 'paused' : 'resumed' });
  }

  #arm(): void {
    this.#offTick = this.services.clock.after(TICK_MS, () => {
      this.#tick();
      if (this.#state !== 'stopped') this.#arm();
    });
  }

  #tick(): void {
    const { clock } = this.services;
    const now = clock.elapsed();
    // A machine that slept has kept its workers from telling anything.
    const awakeMs = Math.min(now - this.#tickedAt, 2 * TICK_MS);
    this.#tickedAt = now;
    for (const pool of this.#pools) pool.tick(awakeMs);
    this.#fill();
    const everyMs = Math.min(LOOK_MS, this.options.cooldownMs);
    // A tick comes a little late: the next one is not waited for because of that.
    if (now - this.#lookedAt >= everyMs - TICK_MS / 2 && !this.#stopping) void this.#look(now);
  }

  async #look(now: number): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    this.#lookedAt = now;
    try {
      const told = await this.services.loads(this.options.pools.flat());
      this.#blind = false;
      if (!this.#stopping) this.#balance(told);
    } catch (error) {
      if (!this.#blind && !this.#stopping) this.#tell({ event: 'blind', error: errorLine(error) });
      this.#blind = true;
    } finally {
      this.#looking = false;
    }
  }

  #balance(told: readonly QueueLoad[]): void {
    const { options, services } = this;
    const { minProcesses, maxProcesses, maxShift, strategy, cooldownMs } = options;
    const clearMs = Math.min(cooldownMs, CLEAR_MS);
    let next = 0;
    const loads = this.#pools.map((pool) => {
      const own = told.slice(next, (next += pool.queues.length));
      const waiting = own.reduce((sum, one) => sum + one.waiting, 0);
      return pool.load({ waiting, oldestMs: Math.max(...own.map((one) => one.oldestMs)) }, clearMs);
    });
    const now = services.clock.elapsed();
    if (options.balance === 'simple' || this.#state === 'paused' || now - this.#steppedAt < cooldownMs - TICK_MS / 2)
      return;
    const rules = { strategy, concurrency: options.worker.concurrency, minProcesses, maxProcesses, clearMs };
    const { add, remove } = step(loads, targets(loads, rules), this.#alive, { maxProcesses, maxShift });
    // More of what dies at once is of no use.
    const shifts = this.#pools.map((pool, at) => (pool.failing ? 0 : add[at]!) - remove[at]!);
    if (shifts.every((by) => by === 0)) return;
    this.#steppedAt = now;
    this.#pools.forEach((pool, at) => pool.scale(shifts[at]!));
    this.#fill();
  }

  #fill(): void {
    if (this.#stopping) return;
    for (const pool of this.#pools) pool.fill(this.options.maxProcesses - this.#alive);
  }

  #changed(): void {
    if (this.#state !== 'stopping') return this.#fill();
    if (this.#alive > 0) return;
    this.#state = 'stopped';
    this.#offTick();
    this.#tell({ event: 'stopped' });
    this.#finish();
  }

  get #alive(): number {
    return this.#pools.reduce((sum, pool) => sum + pool.alive, 0);
  }

  get #stopping(): boolean {
    return this.#state === 'stopping' || this.#state === 'stopped';
  }

  #tell(note: Happening): void {
    const { name: supervisor, connection } = this.options;
    this.services.tell({ supervisor, connection, ...note });
  }
}
