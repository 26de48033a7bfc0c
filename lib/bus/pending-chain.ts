import type { Dispatchable, DispatchReceipt } from '../contracts/dispatchable.js';
import { chained, type Empty } from '../job/fluent-options.js';
import type { Moment } from '../support/duration.js';
import type { DispatchOptions } from './prepare-dispatch.js';

/** Jobs that run one after the other, each when the one before it is done. Sent by `dispatch()` alone. */
export class PendingChain {
  #jobs: readonly (Dispatchable | Empty)[];
  readonly #catch: Dispatchable[] = [];
  #connection: string | undefined;
  #queue: string | undefined;
  #delay: Moment | undefined;

  /** @param send sends the head, with what is behind it */
  constructor(
    jobs: readonly (Dispatchable | Empty)[],
    private readonly send: (head: Dispatchable, options: DispatchOptions) => Promise<DispatchReceipt | null>,
  ) {
    this.#jobs = [...jobs];
  }

  /** For every step that names no connection itself. */
  onConnection(connection: string): this {
    this.#connection = connection;
    return this;
  }

  /** For every step that names no queue itself. */
  onQueue(queue: string): this {
    this.#queue = queue;
    return this;
  }

  /** Before the first job, unless that one has a delay itself. Seconds, a string such as '10m', or the moment itself. */
  delay(delay: Moment): this {
    this.#delay = delay;
    return this;
  }

  /** Sent once when a step has failed for good, which it finds in `this.context.error`. Each call adds one. */
  catch(job: Dispatchable): this {
    this.#catch.push(job);
    return this;
  }

  /** Adds a job at the end. */
  append(job: Dispatchable): this {
    this.#jobs = [...this.#jobs, job];
    return this;
  }

  /** Adds a job in front. */
  prepend(job: Dispatchable): this {
    this.#jobs = [job, ...this.#jobs];
    return this;
  }

  /**
   * Checks and writes down all steps, and sends the first.
   *
   * @returns its receipt; `null` when a unique lock stopped it: nothing was sent then
   * @throws InvalidOptionError for a chain without jobs; else as a dispatch, with the number of the step
   */
  async dispatch(): Promise<DispatchReceipt | null> {
    const [head, ...steps] = chained(this.#jobs, 'bus.chain()');
    const behind = {
      steps,
      catch: [...this.#catch],
      connection: this.#connection,
      queue: this.#queue,
      delay: this.#delay,
    };
    return this.send(head!, { behind });
  }

  /** `null` where the condition does not hold. */
  async dispatchIf(condition: boolean | (() => boolean)): Promise<DispatchReceipt | null> {
    const holds = typeof condition === 'function' ? condition() : condition;
    return holds ? this.dispatch() : null;
  }

  /** `null` where the condition holds. */
  async dispatchUnless(condition: boolean | (() => boolean)): Promise<DispatchReceipt | null> {
    const holds = typeof condition === 'function' ? condition() : condition;
    return holds ? null : this.dispatch();
  }
}
