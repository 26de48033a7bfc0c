import type { ConnectionManager } from '../connections/connection-manager.js';
import type { QueueConnection, QueueSizes } from '../connections/queue-connection.js';
import { readMarks } from '../connections/read-marks.js';
import { DispatchTimeoutError } from '../contracts/store-errors.js';
import { errorLine } from '../support/error-text.js';
import { QueueError } from '../support/queue-error.js';

/** What keeps a store from being used: no answer, its tables, or something else that waiting does not mend. */
export type StoreFault = 'unreachable' | 'tables' | 'unusable';

/** What a store answered about queues, aligned with them. */
export interface QueueReading {
  readonly sizes: QueueSizes;
  /** `undefined`: the place of the marks does not tell. */
  readonly paused: boolean | undefined;
}

export type StoreReading =
  | { readonly queues: readonly QueueReading[]; readonly tookMs: number }
  | { readonly fault: StoreFault; readonly message: string; readonly tookMs: number };

interface UnderWay {
  readonly since: number;
  readonly reading: Promise<StoreReading>;
}

/** A question that has found no answer for so long is asked once more: its connection may be lost for good. */
const GIVEN_UP_MS = 30_000;
const UNREACHABLE = /^(ECONN|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|EPIPE|ETIMEDOUT)/;

/**
 * Asks stores about their queues within a time limit. While one does not answer it is not asked again, however often somebody looks: those
 * wait for the same answer.
 */
export class StoreProbe {
  readonly #underWay = new Map<string, UnderWay>();
  /** Whose tables have been looked at and found right. */
  readonly #sound = new Set<string>();

  constructor(private readonly connections: ConnectionManager) {}

  /** Never rejects. @param queues names of the connection's own */
  read(name: string, queues: readonly string[], limitMs: number): Promise<StoreReading> {
    const { clock } = this.connections;
    const asked = clock.elapsed();
    const key = JSON.stringify([name, queues]);
    let found = this.#underWay.get(key);
    if (!found || asked - found.since > Math.max(GIVEN_UP_MS, limitMs)) {
      const reading = this.#ask(this.connections.get(name), queues, asked);
      const started: UnderWay = { since: asked, reading };
      this.#underWay.set(key, started);
      void reading.then(() => {
        if (this.#underWay.get(key) === started) this.#underWay.delete(key);
      });
      found = started;
    }
    return new Promise((resolve) => {
      const cancel = clock.after(limitMs, () =>
        resolve({
          fault: 'unreachable',
          message: `The store of the [${name}] connection gave no answer within ${limitMs / 1_000} s. Check that the server is up and takes connections.`,
          tookMs: clock.elapsed() - asked,
        }),
      );
      void found.reading.then((reading) => {
        cancel();
        resolve(reading);
      });
    });
  }

  async #ask(connection: QueueConnection, queues: readonly string[], asked: number): Promise<StoreReading> {
    const tookMs = (): number => this.connections.clock.elapsed() - asked;
    try {
      const read = await this.#read(connection, queues);
      return { queues: read, tookMs: tookMs() };
    } catch (error) {
      return { ...faultOf(connection.name, error), tookMs: tookMs() };
    }
  }

  async #read(connection: QueueConnection, queues: readonly string[]): Promise<readonly QueueReading[]> {
    const { name } = connection;
    const known = this.#sound.has(name);
    if (!known) await this.#check(connection);
    try {
      const [sizes, paused] = await Promise.all([connection.sizes(queues), this.#paused(connection, queues)]);
      return sizes.map((one, at) => ({ sizes: one, paused: paused?.[at] }));
    } catch (error) {
      this.#sound.delete(name);
      if (!known) throw error;
      // Perhaps its tables have gone meanwhile: a look at them tells that better than a statement without them.
      return this.#read(connection, queues);
    }
  }

  async #check(connection: QueueConnection): Promise<void> {
    await connection.check();
    await this.connections.checkStores(connection.name);
    this.#sound.add(connection.name);
  }

  /** Where the marks are kept elsewhere and cannot be had, the queues can be told of all the same. */
  async #paused(connection: QueueConnection, queues: readonly string[]): Promise<readonly boolean[] | undefined> {
    try {
      const { paused } = await readMarks(await this.connections.control(), connection, queues);
      return queues.map((queue) => paused.includes(queue));
    } catch {
      return undefined;
    }
  }
}

/** What may be shown to anybody: of an error that is not this package's only its code. */
function faultOf(name: string, error: unknown): { readonly fault: StoreFault; readonly message: string } {
  const { code } = (error ?? {}) as { code?: unknown };
  if (error instanceof QueueError) {
    const away = error.transient === true || error instanceof DispatchTimeoutError;
    const fault = away ? 'unreachable' : code === 'ERR_QUEUE_SCHEMA' ? 'tables' : 'unusable';
    return { fault, message: errorLine(error).replace(/^\w+: /, '') };
  }
  const shown = typeof code === 'string' && /^\w{2,40}$/.test(code) ? code : error instanceof Error ? error.name : '';
  return {
    fault: UNREACHABLE.test(shown) ? 'unreachable' : 'unusable',
    message: `The store of the [${name}] connection cannot be used${shown && ` (${shown})`}. The log of a worker or a command tells why: queue:monitor ${name}:default`,
  };
}
