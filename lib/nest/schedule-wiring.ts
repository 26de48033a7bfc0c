import type { Batches } from '../bus/batches.js';
import { isFirst, type DispatchOnce } from '../bus/dispatch-once.js';
import type { Dispatcher } from '../bus/dispatcher.js';
import { prepareDispatch, type PreparationServices } from '../bus/prepare-dispatch.js';
import type { EventHub } from '../connections/event-hub.js';
import type { JobLocks } from '../connections/job-locks.js';
import { checkOptions, record, required, text, texts, whole, wrong } from '../connections/option-check.js';
import { parseQueueTarget } from '../connections/queue-name.js';
import type { JobRegistry } from '../job/job-registry.js';
import { monitorQueues } from '../operations/monitor-queues.js';
import { pruneBatches } from '../operations/prune-batches.js';
import { pruneFailed } from '../operations/prune-failed.js';
import { loadCron, type ReadCron } from '../schedule/cron-moments.js';
import { oncePerTick } from '../schedule/once-per-tick.js';
import { scheduledJob } from '../schedule/scheduled-job.js';
import { Schedules, type Schedule } from '../schedule/schedules.js';
import { errorLine } from '../support/error-text.js';

/** What the module does by the clock. Cron expressions are of five fields, or of six with seconds in front, in the machine's time zone. */
export interface ScheduleOption {
  /** Deletes batches that finished more than a day ago. */
  pruneBatches?: string;
  /** Deletes the records of jobs that failed more than a day ago. */
  pruneFailed?: string;
  /** Looks at the sizes of queues (`connection:queue`, or a queue of the default connection): one with `max` jobs or more (default 1000) raises QueueBusy. */
  monitor?: { cron: string; queues: string[]; max?: number };
}

export interface ScheduleWiring {
  /** `false`: nothing is done by the clock in this process, jobs with `@ScheduledJob` neither. */
  readonly option: false | ScheduleOption | undefined;
  readonly registry: JobRegistry;
  readonly preparation: PreparationServices;
  readonly dispatcher: Dispatcher;
  readonly locks: JobLocks;
  readonly hub: EventHub;
  readonly batches: () => Batches;
  readonly warn: (message: string) => void;
  /** Reads cron expressions; a test may have its own. */
  readonly cron?: () => Promise<ReadCron>;
}

/** The clock of one module. */
export interface WiredSchedules {
  /** Once the jobs are known. @throws InvalidOptionError, MissingPackageError */
  prepare(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

export function wireSchedules(wiring: ScheduleWiring): WiredSchedules {
  const { option, preparation, warn } = wiring;
  if (option !== undefined && option !== false) checkSchedule(option, wiring);
  const schedules = new Schedules({
    clock: preparation.clock,
    report: (message, error) => warn(`${message}: ${errorLine(error)}`),
    cron: wiring.cron ?? loadCron,
  });
  return {
    prepare: async () => {
      if (option === false) return;
      await schedules.prepare([...upkeep(option ?? {}, wiring), ...jobs(wiring)]);
    },
    start: () => schedules.start(),
    stop: () => schedules.stop(),
  };
}

function checkSchedule(option: ScheduleOption, { preparation: { connections } }: ScheduleWiring): void {
  const at = 'QueueModule: schedule';
  record(option, at);
  checkOptions({ ...option }, { pruneBatches: text, pruneFailed: text, monitor: record }, at);
  if (!option.monitor) return;
  const monitor = { ...option.monitor };
  checkOptions(monitor, { cron: text, queues: texts, max: whole(1) }, `${at}.monitor`);
  required(monitor, 'cron', `${at}.monitor`, "Give a cron expression such as '* * * * *'.");
  required(monitor, 'queues', `${at}.monitor`, 'Name the queues to look at.');
  for (const one of monitor.queues) {
    const { connection } = parseQueueTarget(one, connections.defaultName);
    if (!connections.names().includes(connection)) {
      throw wrong(`${at}.monitor.queues`, one, `There is no connection ${connection}. Write connection:queue.`);
    }
  }
}

function* upkeep(
  { pruneBatches: batches, pruneFailed: failed, monitor }: ScheduleOption,
  wiring: ScheduleWiring,
): Generator<Schedule> {
  const { connections } = wiring.preparation;
  const once = (name: string, cron: string, work: () => Promise<unknown>): Schedule => ({
    at: `QueueModule: schedule.${name}`,
    cron,
    run: oncePerTick(name, () => connections.locks(), work),
  });
  if (batches !== undefined) yield once('pruneBatches', batches, () => pruneBatches(wiring.batches()));
  if (failed !== undefined) yield once('pruneFailed', failed, () => pruneFailed(connections));
  if (monitor) {
    const { cron, queues, max } = monitor;
    yield once('monitor', cron, () => monitorQueues({ connections, hub: wiring.hub }, queues, max));
  }
}

function* jobs({ registry, preparation, dispatcher, locks }: ScheduleWiring): Generator<Schedule> {
  const send = async (job: object, once: DispatchOnce): Promise<void> => {
    const prepared = prepareDispatch(job, { once }, preparation, undefined);
    if (await isFirst(prepared, once, locks)) await dispatcher.dispatch(job, { once });
  };
  for (const { definition } of registry.all()) {
    const { schedule } = definition;
    if (schedule) yield scheduledJob(definition, schedule, send);
  }
}
