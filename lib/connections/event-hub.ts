import type { QueueEventType } from '../contracts/queue-events.js';

type Listener = (event: any) => unknown;

/** Carries events to whoever listens. A listener that fails is reported, and changes nothing for the others or for the caller. */
export class EventHub {
  // The arrays are replaced, never changed: a listener may come or go while an event is under way.
  readonly #byType = new Map<unknown, readonly Listener[]>();
  #every: readonly Listener[] = [];
  #ending: readonly (() => void)[] = [];
  readonly #underWay = new Set<Promise<unknown>>();

  /** @param report told of a listener that threw or whose promise rejected, once for each event */
  constructor(private readonly report: (message: string, error: unknown) => void) {}

  /** Listens to one class of events. Returns what takes the listener off again. */
  on<E>(type: QueueEventType<E>, listener: (event: E) => unknown): () => void {
    // An entry of its own, so that the same function added twice is also taken off one by one.
    const entry: Listener = (event) => listener(event as E);
    this.#byType.set(type, [...(this.#byType.get(type) ?? []), entry]);
    return () => {
      const left = (this.#byType.get(type) ?? []).filter((one) => one !== entry);
      if (left.length > 0) this.#byType.set(type, left);
      else this.#byType.delete(type);
    };
  }

  /** Listens to every event. Returns what takes the listener off again. */
  onEvery(listener: (event: object) => unknown): () => void {
    const entry: Listener = (event) => listener(event as object);
    this.#every = [...this.#every, entry];
    return () => {
      this.#every = this.#every.filter((one) => one !== entry);
    };
  }

  /** Called once, when the module has ended and no more events come. Returns what takes it off again. */
  onEnd(fn: () => void): () => void {
    const entry = (): void => fn();
    this.#ending = [...this.#ending, entry];
    return () => {
      this.#ending = this.#ending.filter((one) => one !== entry);
    };
  }

  /** The module has ended. */
  end(): void {
    const ending = this.#ending;
    this.#ending = [];
    for (const fn of ending) fn();
  }

  /** Whether anybody would get an event of this class; where nobody does, it need not be made. */
  heard(type: QueueEventType): boolean {
    return this.#every.length > 0 || this.#byType.has(type);
  }

  /** Calls the listeners, those of the class first. Does not wait for what they return. */
  emit(event: object): void {
    this.#call(event);
  }

  /** Resolves when what listeners have under way has ended. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** False when a listener answers with exactly `false`, or a promise of it. A listener that fails counts as a yes. */
  async ask(event: object): Promise<boolean> {
    const pending: Promise<unknown>[] = [];
    const refused = this.#call(event, pending);
    if (pending.length === 0) return !refused;
    const answers = await Promise.all(pending);
    return !refused && !answers.includes(false);
  }

  /** Whether a listener answered `false` at once; promises are added to `pending`, which never rejects. */
  #call(event: object, pending?: Promise<unknown>[]): boolean {
    let refused = false;
    for (const listeners of [this.#byType.get(event.constructor), this.#every]) {
      for (const listener of listeners ?? []) {
        try {
          const answer = listener(event);
          if (answer === false) refused = true;
          else if (isThenable(answer)) {
            const settled = Promise.resolve(answer).catch((error: unknown) => this.#failed(event, error));
            pending?.push(settled);
            this.#underWay.add(settled);
            void settled.then(() => this.#underWay.delete(settled));
          }
        } catch (error) {
          this.#failed(event, error);
        }
      }
    }
    return refused;
  }

  #failed(event: object, error: unknown): void {
    this.report(
      `A listener of ${event.constructor.name} failed. The event has no effect on the job; mend the listener.`,
      error,
    );
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
