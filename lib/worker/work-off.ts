import { JobPopping } from '../contracts/queue-events.js';
import type { FittedDriver } from '../connections/fit-driver.js';
import { readMarks } from '../connections/read-marks.js';
import type { ControlStore } from '../contracts/control-store.js';
import { neverAborted } from '../support/abort.js';
import { Alarm } from './alarm.js';
import type { ResolvedWorkerOptions } from './resolved-options.js';
import { workerParts, type WorkerParts, type WorkerServices } from './worker-parts.js';

/** How long it sleeps at most where nothing says that a job has ended. */
const LOOK_MS = 3_000;

/**
 * A worker without a loop of its own: it takes one job when it is told to, and sees it through with all that follows it. Whoever calls
 * decides what comes next, and when time moves on.
 */
export class WorkOff {
  private constructor(
    private readonly services: WorkerServices,
    private readonly driver: FittedDriver,
    private readonly parts: WorkerParts,
    private readonly control: ControlStore | undefined,
    private readonly alarm: Alarm,
  ) {}

  /** @throws what is wrong with the store; it is not waited for */
  static async begin(services: WorkerServices, options: ResolvedWorkerOptions): Promise<WorkOff> {
    const { connection } = services;
    await connection.check();
    const control = await services.control();
    const [driver, backend] = await Promise.all([connection.queue(), connection.backend()]);
    const alarm = new Alarm(services.clock);
    const alone: ResolvedWorkerOptions = { ...options, concurrency: 1, prefetch: 0, restMs: 0, watchdog: false };
    const parts = workerParts(driver, backend, services, alone, {
      alarm,
      forced: neverAborted,
      ended: () => {},
      arrived: () => {},
    });
    return new WorkOff(services, driver, parts, control, alarm);
  }

  /** Those of these queues that are not paused. */
  async open(queues: readonly string[]): Promise<readonly string[]> {
    if (!this.control || queues.length === 0) return queues;
    const { paused } = await readMarks(this.control, this.services.connection, queues);
    return queues.filter((queue) => !paused.includes(queue));
  }

  /** Takes the next job that is due, earlier queues first, and resolves when all that follows it is done. False: there is none. */
  async next(queues: readonly string[]): Promise<boolean> {
    if (queues.length === 0) return false;
    const { connection, hub } = this.services;
    const { slots, settler } = this.parts;
    if (hub.heard(JobPopping)) hub.emit(new JobPopping(connection.name, queues.join(',')));
    const request = { queues, limit: 1, leaseMs: connection.leaseMs, waitMs: 0, signal: neverAborted };
    const jobs = await this.driver.reserve(request);
    if (jobs.length === 0) return false;
    slots.add(jobs);
    while (!slots.empty) await this.alarm.nap(LOOK_MS);
    await settler.idle();
    return true;
  }

  end(): void {
    this.parts.heartbeat.stop();
    this.parts.deadlines.stop();
  }
}
