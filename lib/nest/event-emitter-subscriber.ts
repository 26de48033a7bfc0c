import { Logger } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import { Looping, type QueueEventType } from '../contracts/queue-events.js';
import { errorLine } from '../support/error-text.js';

/** What is needed of the event hub. The listener's answer counts for `Looping`: `false`, or a promise of it, is a veto. */
export interface EverySource {
  onEvery(listener: (event: object) => unknown): unknown;
}

/** What is needed of EventEmitter2. */
interface EmitterLike {
  emitAsync(event: string, ...values: unknown[]): unknown;
  hasListeners?(event: string): boolean;
  listenersAny?(): readonly unknown[];
}

/** How many different complaints about listeners are remembered as made. */
const REMEMBERED = 100;

/**
 * Hands every event of the queue to the application's event emitter, if it has one, under the event's name: `@OnEvent(JobFailed.event)`.
 * What a listener throws is reported once and changes nothing.
 */
export class EventEmitterSubscriber {
  readonly #reported = new Set<string>();

  /** @param report gets each different complaint once. Default: an error line of the Logger. */
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly report: (message: string, error: unknown) => void = (message, error) =>
      new Logger('Queue').error(`${message}: ${errorLine(error)}`),
  ) {}

  /** @returns whether the application has an event emitter */
  subscribe(events: EverySource): boolean {
    const emitter = this.#find();
    if (!emitter) return false;
    events.onEvery((event) => this.#forward(emitter, event));
    return true;
  }

  /** By its name and shape: @nestjs/event-emitter is an optional package that is not to be loaded for this. */
  #find(): EmitterLike | undefined {
    for (const provider of this.discovery.getProviders()) {
      const { token } = provider;
      // The class behind the export EventEmitter2 calls itself EventEmitter.
      const name = typeof token === 'function' ? token.name : token;
      if (name !== 'EventEmitter2' && name !== 'EventEmitter') continue;
      const instance: unknown = provider.instance;
      if (isEmitter(instance)) return instance;
    }
    return undefined;
  }

  #forward(emitter: EmitterLike, event: object): unknown {
    const name = (event.constructor as Partial<QueueEventType>).event;
    if (name === undefined || !hasListeners(emitter, name)) return undefined;
    // emitAsync for all: a rejection of an async listener under emit() would end the process.
    let answers: unknown;
    try {
      answers = emitter.emitAsync(name, event);
    } catch (error) {
      this.#complain(name, error);
      return undefined;
    }
    const heard = Promise.resolve(answers).then(
      (values) => (Array.isArray(values) && values.includes(false) ? false : undefined),
      (error: unknown) => this.#complain(name, error),
    );
    return event instanceof Looping ? heard : heard.then(() => undefined);
  }

  #complain(name: string, error: unknown): undefined {
    const complaint = `${name} ${errorLine(error)}`;
    if (this.#reported.has(complaint)) return undefined;
    this.#reported.add(complaint);
    // The oldest goes: a flood may say one thing again, but a new one is always said.
    if (this.#reported.size > REMEMBERED) this.#reported.delete(this.#reported.values().next().value!);
    this.report(`A listener of ${name} threw, which changes nothing for the queue`, error);
    return undefined;
  }
}

function isEmitter(instance: unknown): instance is EmitterLike {
  return (
    typeof instance === 'object' &&
    instance !== null &&
    typeof (instance as Partial<EmitterLike>).emitAsync === 'function'
  );
}

function hasListeners(emitter: EmitterLike, name: string): boolean {
  if (!emitter.hasListeners) return true;
  // With wildcards on, hasListeners() leaves those out that listen to any event.
  return emitter.hasListeners(name) || (emitter.listenersAny?.() ?? []).length > 0;
}
