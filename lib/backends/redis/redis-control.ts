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

  async restart(mark: string): Promise<void> {
    await this.link.send('SET', [this.#restart, storable(mark)], STORE_PATIENCE);
  }

  async read(connection: string, queues: readonly string[]): Promise<ControlMarks> {
    const pauses = queues.map((queue) => this.#pause({ connection, queue }));
    const keys = [this.#restart, this.#pause('all'), ...pauses];
    const [restart, all, ...paused] = (await this.link.send('MGET', keys, STORE_PATIENCE)) as readonly Reply[];
    return {
      ...(typeof restart === 'string' ? { restart: readable(restart) } : {}),
      allPaused: all !== null,
      paused: queues.filter((_, index) => paused[index] !== null),
    };
  }

  get #restart(): string {
    return `${this.#base}:restart`;
  }

  /** Two names in JSON are never one of the other marks, whatever is in them. */
  #pause(target: PauseTarget): string {
    return `${this.#base}:paused${target === 'all' ? '' : `:${JSON.stringify([target.connection, target.queue])}`}`;
  }
}
