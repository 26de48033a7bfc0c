import type { Type } from '@nestjs/common';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import { JobProcessing, JobQueued } from '../contracts/queue-events.js';
import { definitionOf } from '../job/job-definition.js';
import type { QueueRuntime } from '../nest/wiring.js';
import { durationMs, type Duration } from '../support/duration.js';
import { errorLine } from '../support/error-text.js';
import { describe, InvalidOptionError, QueueError } from '../support/queue-error.js';
import { DrainAttempts, nameOf } from './drain-attempts.js';
import { runtimeOf, type ModuleUnderTest } from './module-runtime.js';

/**
 * `processed`: done, neither failed nor back in its queue. `released`: back in its queue, by hand or after an exception. `failed`: for good.
 */
export type SpiedState = 'queued' | 'processing' | 'processed' | 'released' | 'failed';

/** Something that has happened to a job. */
export interface SpiedJob {
  readonly state: SpiedState;
  readonly id: string;
  /** As a `DrainedAttempt` has it. */
  readonly name: string;
  readonly connection: string;
  readonly queue: string;
  /** Which pick-up; 0 where it is only queued. */
  readonly attempts: number;
  /** What was thrown, or what it was failed with. */
  readonly error?: unknown;
}

export interface WaitForOptions<J extends object> {
  /** Real time. Default 5 seconds. */
  readonly timeout?: Duration;
  /** Given the job as it was sent, on an instance of its own. One that throws answers no. */
  readonly where?: (job: J) => boolean;
}

/** A spy did not see in time what it waited for, or was closed before. */
export class QueueSpyError extends QueueError {
  constructor(message: string) {
    super('ERR_QUEUE_SPY', message);
  }
}

interface Seen extends SpiedJob {
  /** The name of its class. */
  readonly travels: string;
  /** The job as it was sent; `undefined` where it cannot be brought back. */
  readonly job: () => Promise<object | undefined>;
}

interface Wait {
  look(seen: Seen): void;
  end(why: string): void;
}

const STATES: ReadonlySet<string> = new Set<SpiedState>(['queued', 'processing', 'processed', 'released', 'failed']);
/** Lines of what did happen, the last ones. */
const MOST_LINES = 40;
/** Kept from the start: a test may replace the global ones. */
const { setTimeout: later, clearTimeout: callOff } = globalThis;

/**
 * Sees what becomes of the jobs of an application with a real worker in the same process, from now on:
 * `await spy.waitFor(ProcessPodcast, 'processed')`. Make it before the dispatch. It ends with the application, or by `close()`.
 *
 * @throws InvalidOptionError where the application has no QueueModule
 */
export function queueSpy(app: Pick<ModuleUnderTest, 'get'>): QueueSpy {
  return new QueueSpy(runtimeOf(app as ModuleUnderTest, 'queueSpy()'));
}

/** Made by `queueSpy(app)`. */
export class QueueSpy {
  readonly #seen: Seen[] = [];
  readonly #waits = new Set<Wait>();
  readonly #off: readonly (() => void)[];
  #closed: string | undefined;

  constructor(private readonly runtime: QueueRuntime) {
    const { hub } = runtime;
    const attempts = new DrainAttempts(hub, undefined, (job, outcome, error) => {
      if (outcome === 'done') this.#saw(job, 'processed', error);
      if (outcome === 'retry') this.#saw(job, 'released', error);
      if (outcome === 'failed') this.#saw(job, 'failed', error);
    });
    this.#off = [
      hub.on(JobQueued, (event) => this.#queued(event)),
      hub.on(JobProcessing, ({ job }) => this.#saw(job, 'processing')),
      () => attempts.close(),
      hub.onEnd(() => this.#close('the application was closed')),
    ];
  }

  /** All that it has seen, in order. */
  get history(): readonly SpiedJob[] {
    return this.#seen.map(spied);
  }

  /**
   * Resolves with the first time that this happened to a job of the class since the spy was made, at once where it has.
   *
   * @throws QueueSpyError with what did happen, when the time is over or the spy is closed; NotAJobError, InvalidOptionError
   */
  async waitFor<J extends object>(
    type: Type<J>,
    state: SpiedState,
    { timeout = 5, where }: WaitForOptions<J> = {},
  ): Promise<SpiedJob> {
    const { name, aliases = [] } = definitionOf(type);
    if (!STATES.has(state))
      throw new InvalidOptionError(`waitFor: ${describe(state)} is no state. There are: ${[...STATES].join(', ')}.`);
    const ms = durationMs(timeout, 'waitFor: timeout');
    const names = new Set([name, ...aliases]);
    const fits = async (seen: Seen): Promise<boolean> => {
      if (seen.state !== state || !names.has(seen.travels)) return false;
      if (!where) return true;
      try {
        const job = await seen.job();
        return job !== undefined && where(job as J);
      } catch {
        return false;
      }
    };
    const asked = `waitFor(${type.name}, '${state}'${where ? ', where …' : ''})`;
    return new Promise<SpiedJob>((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const over = (): void => {
        this.#waits.delete(wait);
        callOff(timer);
      };
      const end = (why: string): void => {
        over();
        reject(new QueueSpyError(`${asked}: ${why}. ${this.#told()}`));
      };
      const look = (seen: Seen): void => {
        void fits(seen).then((fit) => {
          if (!fit || !this.#waits.has(wait)) return;
          over();
          resolve(spied(seen));
        });
      };
      const wait: Wait = { look, end };
      this.#waits.add(wait);
      for (const seen of this.#seen) look(seen);
      if (this.#closed !== undefined) {
        // What it has seen by then still counts.
        timer = later(() => end(this.#closed!), 0);
        return;
      }
      timer = later(() => end(`it has not happened within ${ms / 1_000} s`), ms);
    });
  }

  /** Stops looking. Whoever still waits is told. */
  close(): void {
    this.#close('the spy was closed');
  }

  #close(why: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = why;
    for (const off of this.#off) off();
    for (const wait of this.#waits) wait.end(why);
  }

  #queued({ connectionName: connection, queue, id, job, payload }: JobQueued): void {
    const { name = '', displayName = '' } = JSON.parse(payload) as Partial<JobEnvelope>;
    this.#add({
      state: 'queued',
      id,
      name: nameOf({ name, displayName }),
      connection,
      queue: queue ?? this.runtime.connections.get(connection).defaultQueue,
      attempts: 0,
      travels: name,
      job: () => Promise.resolve(job),
    });
  }

  #saw(job: JobContext, state: SpiedState, error?: unknown): void {
    const { id, name, connection, queue, attempts } = job;
    this.#add({
      state,
      id,
      name: nameOf(job),
      connection,
      queue,
      attempts,
      ...(error !== undefined && { error }),
      travels: name,
      job: () => this.runtime.byHand.broughtBack(job),
    });
  }

  #add(seen: Seen): void {
    this.#seen.push(seen);
    for (const wait of this.#waits) wait.look(seen);
  }

  #told(): string {
    if (this.#seen.length === 0) return 'Nothing has happened to any job since the spy was made.';
    const left = this.#seen.length - MOST_LINES;
    const lines = this.#seen.slice(-MOST_LINES).map(lineOf);
    return `What has happened since the spy was made:\n${left > 0 ? `  (${left} before)\n` : ''}${lines.join('\n')}`;
  }
}

function lineOf({ state, name, connection, queue, attempts, error }: Seen): string {
  const attempt = attempts > 0 ? `, attempt ${attempts}` : '';
  const why = error === undefined ? '' : `: ${errorLine(error)}`;
  return `  ${name} ${state} on [${connection}] ${queue}${attempt}${why}`;
}

function spied({ travels: _travels, job: _job, ...seen }: Seen): SpiedJob {
  return seen;
}
