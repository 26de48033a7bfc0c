import type { BellServices } from '../server/dialect.js';
import { statementOf } from '../server/flavour.js';
import { storable } from '../../stored-text.js';
import { textArray } from './parameters.js';

/** A queue is told of so often at most: under load a worker finds work without being told. */
const EVERY_MS = 10;
/** When somebody else's transaction may have committed. */
const SOON_MS = [10, 100, 1_000];

/**
 * Not in the transaction that inserts: a NOTIFY takes a lock at commit, one for all databases of the server, and a hundred inserting at
 * once become a quarter as fast. What is told is in nobody's way if it is lost, so its commit is not waited for either.
 */
const NOTIFY = statementOf(
  `SELECT set_config('synchronous_commit', 'off', true) AS setting, pg_notify($1::text, q.queue) AS told FROM unnest($2::text[]) AS q(queue)`,
);

/** Tells other processes of queues that have new jobs: the first time at once, then once an interval. */
export class Announcer {
  /** When each queue was told of last, by `performance.now()`. */
  readonly #toldAt = new Map<string, number>();
  readonly #due = new Set<string>();
  readonly #soon = new Set<NodeJS.Timeout>();
  #timer: NodeJS.Timeout | undefined;
  #sending = false;
  #closed = false;

  constructor(private readonly services: Pick<BellServices, 'channel' | 'use'>) {}

  announce(queues: Iterable<string>): void {
    if (this.#closed) return;
    for (const queue of queues) this.#due.add(queue);
    this.#send();
  }

  announceSoon(queues: Iterable<string>): void {
    if (this.#closed) return;
    const names = [...queues];
    for (const ms of SOON_MS) {
      const timer = setTimeout(() => {
        this.#soon.delete(timer);
        this.announce(names);
      }, ms);
      timer.unref();
      this.#soon.add(timer);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const timer of this.#soon) clearTimeout(timer);
  }

  #send(): void {
    if (this.#sending || this.#closed) return;
    const now = performance.now();
    const names: string[] = [];
    for (const queue of this.#due) {
      if (now - (this.#toldAt.get(queue) ?? -Infinity) < EVERY_MS) continue;
      names.push(queue);
      this.#due.delete(queue);
      this.#toldAt.set(queue, now);
    }
    if (names.length > 0) {
      this.#sending = true;
      // A failure costs the time until the next poll.
      this.services
        .use((link) => link.query(NOTIFY, [this.services.channel, textArray(names.map(storable))]))
        .catch(() => {})
        .finally(() => {
          this.#sending = false;
          this.#arm();
        });
    } else {
      this.#arm();
    }
  }

  /** For what came within the interval; and what was told of long ago is forgotten. */
  #arm(): void {
    if (this.#timer !== undefined || this.#closed) return;
    if (this.#due.size === 0 && this.#toldAt.size < 1_000) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const before = performance.now() - EVERY_MS;
      for (const [queue, at] of this.#toldAt) if (at <= before) this.#toldAt.delete(queue);
      this.#send();
    }, EVERY_MS);
    this.#timer.unref();
  }
}
