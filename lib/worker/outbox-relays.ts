import { OutboxRelay, type RelayServices } from './outbox-relay.js';

/** The relays of one module in this process: they run for as long as any worker does. */
export class OutboxRelays {
  #relays: readonly OutboxRelay[] = [];
  #workers = 0;

  /** @param services of each connection that has an outbox */
  constructor(private readonly services: () => readonly RelayServices[]) {}

  /** For one worker. Returns what lets go of them; for the last one it ends them, and resolves when they have ended. */
  join(): () => Promise<void> {
    this.#workers += 1;
    if (this.#workers === 1) {
      this.#relays = this.services().map((one) => new OutboxRelay(one));
      for (const relay of this.#relays) relay.start();
    }
    return async () => {
      this.#workers -= 1;
      if (this.#workers === 0) await Promise.all(this.#relays.map((relay) => relay.stop()));
    };
  }
}
