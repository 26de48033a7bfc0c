import { randomUUID } from 'node:crypto';
import { prepareDispatch, type PreparationServices } from '../bus/prepare-dispatch.js';
import { recordFailure } from '../completion/record-failure.js';
import type { Outbox } from '../connections/outbox.js';
import type { QueueConnection } from '../connections/queue-connection.js';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { ReservedJob } from '../contracts/queue-driver.js';
import type { WorkerOptions } from '../contracts/worker-options.js';
import type { JobRegistry, RegisteredJob } from '../job/job-registry.js';
import { attemptInProcess, type InProcessServices } from '../worker/in-process-run.js';
import { JobDeadlines } from '../worker/job-deadlines.js';
import { resolveWorkerOptions, type ResolvedWorkerOptions } from '../worker/resolved-options.js';
import type { AttemptEnd } from '../worker/running-attempt.js';
import type { OutboxRelays } from '../worker/outbox-relays.js';
import type { StrayErrors } from '../worker/stray-errors.js';
import { WorkOff } from '../worker/work-off.js';
import type { WorkerServices } from '../worker/worker-parts.js';
import type { QueueModuleOptions } from './queue-module-options.js';

export interface ByHandParts {
  readonly preparation: PreparationServices;
  readonly registry: JobRegistry;
  readonly inProcess: InProcessServices;
  readonly strays: StrayErrors;
  readonly relays: OutboxRelays;
  readonly workerServices: (connection: string) => WorkerServices;
  readonly revive: (registered: RegisteredJob, envelope: JobEnvelope, context: JobContext) => object | Promise<object>;
  /** What the module's own worker is told of jobs that do not say it themselves holds here too. */
  readonly options: Pick<QueueModuleOptions, 'worker'>;
}

/** A connection's queues, worked by whoever calls. */
export interface WorkByHand extends Pick<WorkOff, 'next' | 'open'> {
  /** Resolves when what waited in the connection's outbox has been sent on. */
  relayed(): Promise<void>;
  end(): Promise<void>;
}

/** An outbox is looked at so often, and waited for so long; ms of real time. */
const RELAYED = { eachMs: 5, mostMs: 5_000 };

/** What a worker says of jobs that do not say it themselves. */
const OF_JOBS = ['tries', 'backoff', 'timeout', 'timeoutGrace', 'maxStalls', 'unknownJobTries'] as const;

/** Jobs run by whoever calls, and not by a worker that goes on by itself: for tests. */
export class ByHand {
  constructor(private readonly parts: ByHandParts) {}

  /**
   * One attempt of a job that is in no queue, as a worker of its connection would make it. It is written down and read back; no lock is
   * taken for it. What follows it is sent, and where it has failed that is recorded.
   *
   * @param attempts which pick-up it is
   * @throws what its dispatch would throw
   */
  async attempt(job: object, attempts: number): Promise<AttemptEnd> {
    const { inProcess, preparation, strays } = this.parts;
    const { clock, connections } = preparation;
    const { connection, outgoing } = prepareDispatch(job, { unmarked: true }, preparation, preparation.carried());
    const refused = connection.refusal(outgoing);
    if (refused) throw refused;
    const { id, queue, body, priority = 0, live } = outgoing.entry;
    const leasedUntil = clock.now() + connection.leaseMs;
    const held = { id, queue, body, priority, attempts, stalls: 0, token: randomUUID(), leasedUntil };
    const reserved: ReservedJob = live ? { ...held, live } : held;
    const options = this.#options(connection);
    const deadlines = new JobDeadlines(options.timeoutGraceMs, clock);
    const record = async ({ context, outcome }: AttemptEnd): Promise<unknown> => {
      const error = outcome.kind === 'failed' ? outcome.error : new Error('The job failed.');
      const store = await connections.failed();
      const failedAt = new Date(clock.now());
      return recordFailure(
        { context, reserved, error, failedAt },
        { store, withAck: false, leases: undefined, leaseMs: 0 },
      );
    };
    const off = strays.listen();
    try {
      const services = { ...inProcess, record, begins: deadlines.add.bind(deadlines) };
      return await attemptInProcess(reserved, connection.name, services, { ...options, limited: true, timeouts: true });
    } finally {
      off();
      deadlines.stop();
    }
  }

  /** Works what is in the queues of a connection, one job at a time, and sends on what its outbox holds. */
  async workOff(connection: QueueConnection): Promise<WorkByHand> {
    const { strays, relays, workerServices } = this.parts;
    const work = await WorkOff.begin(workerServices(connection.name), this.#options(connection));
    const off = strays.listen();
    const leave = connection.outbox && relays.join();
    return {
      next: (queues) => work.next(queues),
      open: (queues) => work.open(queues),
      relayed: () => (connection.outbox ? emptied(connection.outbox) : Promise.resolve()),
      end: async () => {
        off();
        work.end();
        await leave?.();
      },
    };
  }

  /** The job of an attempt as it was sent; `undefined` where it cannot be brought back. */
  async broughtBack(context: JobContext): Promise<object | undefined> {
    const envelope = context.payload as Partial<JobEnvelope>;
    const registered = this.parts.registry.find(context.name);
    if (!registered || envelope.v === undefined) return undefined;
    try {
      return await this.parts.revive(registered, envelope as JobEnvelope, context);
    } catch {
      return undefined;
    }
  }

  #options(connection: QueueConnection): ResolvedWorkerOptions {
    const given: WorkerOptions = this.parts.options.worker || {};
    const said = Object.fromEntries(OF_JOBS.filter((key) => given[key] !== undefined).map((key) => [key, given[key]]));
    return resolveWorkerOptions(said, connection);
  }
}

/** Until nothing in it is due. One that cannot be read holds nobody up: its relay says so. */
async function emptied(outbox: Outbox): Promise<void> {
  try {
    const { queue } = await outbox.backend();
    for (let ms = 0; queue && ms < RELAYED.mostMs; ms += RELAYED.eachMs) {
      const [size] = await queue.size([outbox.connection]);
      if (!size || size.pending + (size.reserved ?? 0) === 0) return;
      await new Promise((resolve) => setTimeout(resolve, RELAYED.eachMs));
    }
  } catch {
    return;
  }
}
