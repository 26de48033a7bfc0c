import { JobPopped, JobPopping } from '../contracts/queue-events.js';
import type { EventHub } from '../connections/event-hub.js';
import type { FittedDriver } from '../connections/fit-driver.js';
import type { QueueConnection } from '../connections/queue-connection.js';
import type { Backend } from '../contracts/backend.js';
import type { ControlStore } from '../contracts/control-store.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import { backoffMs } from '../support/backoff.js';
import type { Clock } from '../support/clock.js';
import { QueueError } from '../support/queue-error.js';
import type { Alarm } from './alarm.js';
import { AttemptFinisher, type CompletionSteps } from './attempt-finisher.js';
import { Heartbeat } from './heartbeat.js';
import { Intake } from './intake.js';
import { JobDeadlines } from './job-deadlines.js';
import type { JobRunner } from './job-runner.js';
import type { ResolvedWorkerOptions } from './resolved-options.js';
import type { RunOptions } from './run-options.js';
import type { AttemptEnd } from './running-attempt.js';
import { Settler } from './settler.js';
import { Slots } from './slots.js';
import { UNWATCHED, Watchdog } from './watchdog.js';

/** What a worker takes from the floors around it. */
export interface WorkerServices {
  readonly connection: QueueConnection;
  readonly runner: JobRunner;
  readonly hub: EventHub;
  readonly clock: Clock;
  readonly completion: CompletionSteps;
  readonly control: () => Promise<ControlStore | undefined>;
  readonly report: (message: string, error: unknown) => void;
  /** The process is there for its workers alone. */
  readonly ownsProcess: () => boolean;
}

/** What a worker is made of once its store has been reached. */
export interface WorkerParts {
  readonly settler: Settler;
  readonly intake: Intake;
  readonly heartbeat: Heartbeat;
  readonly deadlines: JobDeadlines;
  readonly slots: Slots;
  /** Absent where it is not wanted, and where the store cannot be reached from a thread. */
  readonly watchdog: Watchdog | undefined;
}

export function workerParts(
  driver: FittedDriver,
  { watch, check }: Pick<Backend, 'watch' | 'check'>,
  services: WorkerServices,
  options: ResolvedWorkerOptions,
  worker: {
    readonly alarm: Alarm;
    readonly forced: AbortSignal;
    ended(end: AttemptEnd): void;
    arrived(jobs: readonly ReservedJob[]): void;
  },
): WorkerParts {
  const { clock, connection, hub, report, runner } = services;
  const settler = new Settler(driver, clock, report, worker.forced);
  const heartbeat = new Heartbeat(driver.leases, connection.leaseMs, clock, report);
  const deadlines = new JobDeadlines(options.timeoutGraceMs, clock);
  const finisher = new AttemptFinisher(settler, hub, services.completion, report, options.restMs > 0);
  // A store within this process needs no way to it, and has none.
  if (options.watchdog && !watch && check) {
    report(
      UNWATCHED,
      new Error('a thread cannot be given the way to its store (a function or a driver in its options)'),
    );
  }
  const watchdog =
    watch && options.watchdog
      ? Watchdog.start({
          leaseMs: connection.leaseMs,
          graceMs: options.timeoutGraceMs,
          mayKill: options.exitWhenStuck || services.ownsProcess(),
          reservations: options.concurrency + options.prefetch,
          watch,
          clock,
          report,
        })
      : undefined;
  const runOptions: RunOptions = { ...options, limited: true, timeouts: true };
  const slots = new Slots(
    options.concurrency,
    options.prefetch,
    options.restMs,
    clock,
    heartbeat,
    deadlines,
    (reserved) => runner.prepare(reserved, connection.name, runOptions),
    (attempt) => {
      if (hub.heard(JobPopped)) hub.emit(new JobPopped(connection.name, attempt.context));
      runner.start(attempt);
    },
    (end, reserved, settled) => {
      worker.ended(end);
      return finisher.finish(end, reserved, settled);
    },
    () => worker.alarm.notice(),
    watchdog,
  );
  const popping = (): void => {
    if (hub.heard(JobPopping)) hub.emit(new JobPopping(connection.name, options.queues.join(',')));
  };
  const intake = new Intake(driver, settler, connection.leaseMs, {
    slots: options.concurrency + options.prefetch,
    popping,
    arrived: (jobs) => worker.arrived(jobs),
    changed: () => worker.alarm.notice(),
  });
  return { settler, intake, heartbeat, deadlines, slots, watchdog };
}

/**
 * Waits for the store, for ever if need be; what no waiting mends is thrown. Told to stop, it waits for no answer either.
 *
 * @returns the store of pause and restart marks; `'stopped'` when it was told to stop first
 */
export async function reachStore(
  services: WorkerServices,
  alarm: Alarm,
  stopped: () => boolean,
): Promise<ControlStore | undefined | 'stopped'> {
  for (let failures = 0; ; failures += 1) {
    if (stopped()) return 'stopped';
    try {
      const reached = services.connection.check().then(() => services.control());
      const answer = await alarm.unlessTold(reached.then((control) => ({ control })));
      if (answer) return answer.control;
    } catch (error) {
      if (error instanceof QueueError && !error.transient) throw error;
      services.report('The store cannot be reached; trying again', error);
      await alarm.nap(backoffMs(failures, 100, 3_000));
    }
  }
}
