import {
  checkHealth,
  type HealthCheckOptions,
  type HealthReport,
  type HealthServices,
} from '../operations/check-health.js';
import { workerHealth } from '../operations/worker-health.js';

/** Tells whether the stores answer, whether somebody consumes the queues, and whether the workers of this process are well. */
export class QueueHealth {
  readonly #services: HealthServices;

  constructor(services: HealthServices) {
    this.#services = services;
  }

  /**
   * Asks the stores. It answers within `timeout` (3 s), also where a store does not, and rejects only for what it was asked wrongly. Down
   * is a store that cannot be used, a queue whose oldest job has waited for longer than `maxWait` (5 minutes) while none is taken, a
   * queue with more than `maxPending` jobs, and a worker of this process that is stuck, blocked or gone. A paused queue is told, and no
   * fault. Nothing in the answer is secret; host names of servers may be in it.
   *
   * @throws InvalidOptionError, UnknownConnectionError, InvalidQueueNameError
   */
  check(options?: HealthCheckOptions): Promise<HealthReport> {
    return checkHealth(this.#services, options);
  }

  /** What this process knows of its workers without asking a store: down is one that only a restart of the process mends. */
  live(): Pick<HealthReport, 'status' | 'workers' | 'problems'> {
    const { workers, problems } = workerHealth(this.#services.vitals(), false);
    return { status: problems.length === 0 ? 'up' : 'down', workers, problems };
  }
}
