import type { ControlMarks, ControlStore, PauseTarget } from '../../contracts/control-store.js';
import type { Clock } from '../../support/clock.js';
import { ExpiringMap } from './expiring-map.js';

/** Marks in this process. */
export class MemoryControlStore implements ControlStore {
  readonly #pauses = new ExpiringMap<true>();
  readonly #restarts = new Map<string, string>();

  constructor(private readonly clock: Clock) {}

  async pause(target: PauseTarget, ttlMs = Infinity): Promise<void> {
    const now = this.clock.now();
    this.#pauses.set(keyOf(target), true, now + ttlMs, now);
  }

  async resume(target: PauseTarget): Promise<void> {
    this.#pauses.delete(keyOf(target));
  }

  async restart(mark: string, target: PauseTarget = 'all'): Promise<void> {
    this.#restarts.set(keyOf(target), mark);
  }

  async read(connection: string, queues: readonly string[]): Promise<ControlMarks> {
    const now = this.clock.now();
    const targets: PauseTarget[] = ['all', ...queues.map((queue) => ({ connection, queue }))];
    const restarts = targets.flatMap((target) => this.#restarts.get(keyOf(target)) ?? []);
    return {
      ...(restarts.length > 0 && { restart: restarts.join('\n') }),
      allPaused: this.#pauses.get(keyOf('all'), now) === true,
      paused: queues.filter((queue) => this.#pauses.get(keyOf({ connection, queue }), now)),
    };
  }
}

function keyOf(target: PauseTarget): string {
  return target === 'all' ? 'all' : JSON.stringify([target.connection, target.queue]);
}
