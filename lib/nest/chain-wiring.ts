import { JobGates } from '../bus/job-gates.js';
import type { DispatchTraces } from '../bus/dispatch-traces.js';
import type { PreparationServices } from '../bus/prepare-dispatch.js';
import { writeSteps } from '../bus/write-chain.js';
import type { AfterStep, EndedAttempt } from '../completion/after-attempt.js';
import { followChain, plan, planned, raiseSkipped, type ChainServices, type Plan } from '../completion/follow-chain.js';
import { followInProcess } from '../completion/follow-in-process.js';
import type { Waiting } from '../completion/next-in-chain.js';
import type { FollowUp, FollowUpServices } from '../completion/place-follow-up.js';
import { sendNow, type FollowedFrom } from '../completion/send-follow-ups.js';
import type { ConnectionManager } from '../connections/connection-manager.js';
import type { EventHub } from '../connections/event-hub.js';
import type { JobLocks } from '../connections/job-locks.js';
import type { FailedJob } from '../contracts/failed-job-store.js';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { EnvelopeSeals } from '../job/envelope-seals.js';
import { AttemptContext, type AttemptServices } from '../job/job-context.js';
import type { JobRegistry, RegisteredJob } from '../job/job-registry.js';
import { admitFollowUp } from './admit-follow-up.js';

export interface ChainParts {
  readonly connections: ConnectionManager;
  readonly hub: EventHub;
  readonly registry: JobRegistry;
  readonly seals: EnvelopeSeals;
  readonly attempts: AttemptServices;
  readonly revive: (registered: RegisteredJob, envelope: JobEnvelope, context: JobContext) => object | Promise<object>;
  readonly refreshRetryUntil: (envelope: JobEnvelope) => Promise<number | undefined>;
  readonly locks: JobLocks;
  readonly report: (message: string, error: unknown) => void;
  /** Told of a job that was to follow another, and is recorded as failed: there is no place for it. */
  readonly misplaced: (failure: FailedJob) => Promise<void>;
  readonly traces?: DispatchTraces | undefined;
}

/** Chains, put together. */
export interface WiredChains {
  /** What follows the jobs of a connection's worker. */
  readonly step: (connection: string) => AfterStep;
  /** What follows a job that was run in this process. */
  readonly inProcess: (ended: EndedAttempt) => Promise<void>;
  /** Sends jobs for one that nobody runs, under the ids that they were written with: a repeat is a no-op. */
  readonly send: (jobs: readonly Waiting[], behind: Behind) => Promise<void>;
  /** Sends the next step of a chain whose last one is nobody's. */
  readonly goOn: (behind: Behind) => Promise<void>;
  /** Looks where jobs go that are sent for a running one. Those that have no place are recorded. */
  readonly place: (jobs: readonly Waiting[], behind: Behind, context: AttemptContext) => Promise<readonly FollowUp[]>;
  readonly from: (connection: string) => Promise<FollowedFrom>;
  readonly services: FollowUpServices;
}

/** What is behind a job. */
type Behind = Pick<JobEnvelope, 'chain' | 'displayName'>;

export function wireChains(parts: ChainParts): WiredChains {
  const { connections, hub, seals, refreshRetryUntil, locks, report, traces } = parts;
  const gates = new JobGates(locks, connections.clock, report);
  const services: ChainServices = {
    connections,
    hub,
    seals,
    refreshRetryUntil,
    report,
    admit: (job, after) => admitFollowUp(job, after, gates, locks),
    shown: (envelope) => shown(envelope, parts),
    record: async (failure) => {
      await (await connections.failed()).record([failure]);
      await parts.misplaced(failure);
    },
    from: (connection) => from(connection, connections),
    trace: traces && (() => traces.current()),
  };
  const settled = async ({ jobs, misplaced, skipped }: Plan): Promise<readonly FollowUp[]> => {
    for (const failure of misplaced) await services.record(failure);
    raiseSkipped(skipped, hub);
    return jobs;
  };
  const sent = async (sending: Promise<Plan>): Promise<void> => {
    for (const job of await settled(await sending)) await sendNow(job);
  };
  return {
    step: (connection) => followChain(connection, services),
    inProcess: (ended) => followInProcess(ended, services),
    send: (jobs, behind) => sent(planned(jobs, behind, undefined, services)),
    goOn: (behind) => sent(plan(undefined, behind, undefined, services)),
    place: async (jobs, behind, context) => settled(await planned(jobs, behind, context, services)),
    from: services.from,
    services,
  };
}

/** Writes down what a running job puts into its chain. */
export function stepWriter(preparation: () => PreparationServices): NonNullable<AttemptServices['writeSteps']> {
  return (jobs, { envelope }, mint) => {
    const services = preparation();
    // What a member adds to its chain is a member as well.
    const batch = envelope?.batchId === undefined ? undefined : { id: envelope.batchId, ...envelope.batch };
    const ids = { now: services.clock.now(), context: services.carried(), mint, ...(batch && { batch }) };
    return writeSteps(jobs, envelope?.chain, ids, services);
  };
}

async function from(connection: string, connections: ConnectionManager): Promise<FollowedFrom> {
  const own = connections.get(connection);
  const { atomic } = await own.backend();
  return {
    connection,
    withSettlement: atomic?.has('push') === true,
    leases: own.ready()?.leases,
    leaseMs: own.leaseMs,
  };
}

/** The job as its queue events show it; where it cannot be brought back here, as it travels. */
async function shown(envelope: JobEnvelope, { registry, revive, attempts }: ChainParts): Promise<object> {
  const registered = registry.find(envelope.name);
  if (!registered) return envelope;
  const reserved = {
    id: envelope.uuid,
    queue: '',
    body: '',
    priority: 0,
    attempts: 0,
    stalls: 0,
    token: '',
    leasedUntil: 0,
  };
  try {
    return await revive(registered, envelope, new AttemptContext('', reserved, envelope, attempts));
  } catch {
    return envelope;
  }
}
