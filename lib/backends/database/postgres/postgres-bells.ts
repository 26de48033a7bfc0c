import type { Bells, BellServices } from '../server/dialect.js';
import { Announcer } from './announcer.js';
import { Listener } from './listener.js';

/** Wakes workers of other processes by LISTEN and NOTIFY. */
export class PostgresBells implements Bells {
  readonly #listener: Listener;
  readonly #announcer: Announcer;

  constructor(services: BellServices) {
    this.#listener = new Listener(services);
    this.#announcer = new Announcer(services);
  }

  get hearing(): boolean {
    return this.#listener.hearing;
  }

  listen(): { readonly fresh: boolean; off(): void } {
    // Where nothing is heard yet, it rings once it is: whoever waits looks again then.
    return { fresh: false, off: this.#listener.add() };
  }

  announce(queues: Iterable<string>): void {
    this.#announcer.announce(queues);
  }

  announceSoon(queues: Iterable<string>): void {
    this.#announcer.announceSoon(queues);
  }

  async close(): Promise<void> {
    this.#announcer.close();
    await this.#listener.close();
  }
}
