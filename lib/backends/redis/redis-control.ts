import type { ControlMarks, ControlStore, PauseTarget } from '../../contracts/control-store.js';
import { readable, storable } from '../stored-text.js';
import type { Keyspace } from './keyspace.js';
import { lasting } from './lasting.js';
import type { RedisLink, Reply } from './link.js';
import { STORE_PATIENCE } from './store-patience.js';

/** Marks: a key each, all in one slot, so that a worker reads what it needs in one command. */
export class RedisControl implements ControlStore {
  readonly #base: string;

  constructor(
    private readonly link: RedisLink,
    keys: Keyspace,
  ) {
    this.#base = keys.own('control');
  }

  async pause(target: PauseTarget, ttlMs = Infinity): Promise<void> {
    const ttl = lasting(ttlMs);
    await this.link.send('SET', [this.#pause(target), 1, ...(ttl === '' ? [] : ['PX', ttl])], STORE_PATIENCE);
  }

  async resume(target: PauseTarget): Promise<void> {
    await this.link.send('DEL', [this.#pause(target)], STORE_PATIENCE);
  }

  async restart(mark: string, target: PauseTarget = 'all'): Promise<void> {
    await this.link.send('SET', [this.#restart(target), storable(mark)], STORE_PATIENCE);
  }

  async read(connection: string, queues: readonly string[]): Promise<ControlMarks> {
    const targets: PauseTarget[] = ['all', ...queues.map((queue) => ({ connection, queue }))];
    const keys = [...targets.map((one) => this.#pause(one)), ...targets.map((one) => this.#restart(one))];
    const values = (await this.link.send('MGET', keys, STORE_PATIENCE)) as readonly Reply[];
    const [all, ...paused] = values.slice(0, targets.length);
    const restarts = values.slice(targets.length).flatMap((mark) => (typeof mark === 'string' ? [readable(mark)] : []));
    return {
      ...(restarts.length > 0 && { restart: restarts.join('\n') }),
      allPaused: all !== null,
      paused: queues.filter((_, index) => paused[index] !== null),
    };
  }

  #restart(target: PauseTarget): string {
    return `${this.#base}:restart${suffixOf(target)}`;
  }

  #pause(target: PauseTarget): string {
    return `${this.#base}:paused${suffixOf(target)}`;
  }
}

/** Two names in JSON are never one of the other marks, whatever is in them. */
function suffixOf(target: PauseTarget): string {
  return target === 'all' ? '' : `:${JSON.stringify([target.connection, target.queue])}`;
}
