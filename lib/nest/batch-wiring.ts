import { Batches } from '../bus/batches.js';
import type { ChainWriting } from '../bus/step-target.js';
import type { AfterStep, EndedAttempt } from '../completion/after-attempt.js';
import { BatchSweep } from '../completion/batch-sweep.js';
import { BatchFollower } from '../completion/follow-batch.js';
import { placeFollowUp } from '../completion/place-follow-up.js';
import { BatchRecorder } from '../completion/record-batch.js';
import { UnfilledBatches } from '../completion/unfilled-batches.js';
import type { ConnectionManager } from '../connections/connection-manager.js';
import type { EventHub } from '../connections/event-hub.js';
import type { BatchRecord, BatchStore } from '../contracts/batch-store.js';
import type { FailedJob } from '../contracts/failed-job-store.js';
import type { JobChain, JobEnvelope } from '../contracts/job-envelope.js';
import type { AttemptContext } from '../job/job-context.js';
import type { JobRegistry } from '../job/job-registry.js';
import type { ContextValues } from '../job/request-context.js';
import type { WiredChains } from './chain-wiring.js';
import { chunks } from '../support/chunks.js';
import { RegisteredBatches } from './registered-batches.js';

export interface BatchParts {
  readonly connections: ConnectionManager;
  readonly hub: EventHub;
  readonly registry: JobRegistry;
  readonly writing: ChainWriting;
  readonly chains: WiredChains;
  readonly carried: () => ContextValues | undefined;
  readonly running: () => AttemptContext | undefined;
  readonly insideOf: (fits: (manager: unknown) => boolean) => boolean;
  readonly afterResponse: (fn: () => Promise<void>) => void;
  readonly report: (message: string, error: unknown) => void;
}

/** Batches, put together. */
export interface WiredBatches {
  readonly batches: Batches;
  readonly sweep: BatchSweep;
  /** What follows the jobs of a connection's worker: before their chain goes on, and behind that. */
  readonly steps: (connection: string) => { readonly grow: AfterStep; readonly end: AfterStep };
  /** What follows a job that was run in this process. Never rejects. */
  readonly inProcess: (ended: EndedAttempt) => Promise<void>;
  /** A job that was to follow another was recorded as failed. */
  readonly misplaced: (failure: FailedJob) => Promise<void>;
}

export function wireBatches(parts: BatchParts): WiredBatches {
  const { connections, hub, chains, report, writing } = parts;
  const { clock } = connections;
  const { seals } = writing;
  const store = (): Promise<BatchStore> => connections.batches();
  const follower: BatchFollower = new BatchFollower({
    store,
    batchOf: (record) => batches.of(record),
    send: (jobs, place, batch) => chains.send(jobs, behind(place, batch)),
    goOn: (chain, batch) => chains.goOn(behind(chain, batch, chain)),
    errorOf: (jobId) => errorOf(jobId, connections),
    seals,
    hub,
    report,
  });
  const recorder = new BatchRecorder({
    store,
    withSettlement: (connection) => connections.countsMembers(connection),
    from: chains.from,
    follower,
    hub,
    seals,
    place: (jobs, plan, context) => chains.place(jobs, behind(plan, context), context),
    send: (jobs, plan, context) => chains.send(jobs, behind(plan, context)),
    report,
  });
  const batches = new Batches({
    writing,
    // What a member says of until when it may be tried was asked as it was written.
    place: (member) =>
      placeFollowUp(member, {}, false, {
        ...chains.services,
        refreshRetryUntil: () => Promise.resolve(undefined),
      }).then(({ connection, outgoing }) => ({ connection, outgoing: { ...outgoing, job: member.job } })),
    carried: parts.carried,
    home: () => connections.batchHome(),
    call: (callbacks, plan, batch) =>
      chains.send(
        callbacks.map((envelope) => ({ written: envelope, envelope })),
        behind(plan, batch),
      ),
    follow: (progress) => follower.follow(progress),
    running: parts.running,
    insideOf: parts.insideOf,
    hub,
    clock,
    afterResponse: parts.afterResponse,
    report,
  });
  parts.registry.add(new RegisteredBatches((job, context) => batches.run(job, context)));
  return {
    batches,
    sweep: new BatchSweep({
      store,
      follower,
      unfilled: new UnfilledBatches({ follower, alive: (ids) => aliveAnywhere(ids, connections), clock }),
      clock,
      report,
    }),
    steps: (connection) => ({ grow: recorder.grow(connection), end: recorder.end(connection) }),
    inProcess: (ended) => recorder.inProcess(ended),
    misplaced: async ({ payload, exception }) => {
      const envelope = JSON.parse(payload) as JobEnvelope;
      await recorder.misplaced(envelope, thrownAs(exception));
    },
  };
}

/** Jobs that are sent for a batch, or for one of its members, go where it says unless they say it themselves. */
function behind(
  { connection, queue }: Pick<JobChain, 'connection' | 'queue'>,
  whose: BatchRecord | AttemptContext,
  chain: Pick<JobChain, 'rest' | 'catch'> = { rest: [] },
): Pick<JobEnvelope, 'chain' | 'displayName'> {
  const place = { ...(connection !== undefined && { connection }), ...(queue !== undefined && { queue }) };
  const displayName = 'displayName' in whose ? whose.displayName : `the batch ${whose.name || whose.id}`;
  return { displayName, chain: { ...chain, ...place } };
}

/** Jobs that are asked for at once. */
const ASKED = 20;

/** Whether any connection of the module has one of these jobs. */
async function aliveAnywhere(ids: readonly string[], connections: ConnectionManager): Promise<boolean> {
  for (const name of connections.names()) {
    const { storeless, inspection } = await connections.get(name).queue();
    if (storeless) continue;
    // It may have one.
    if (!inspection) return true;
    for (const some of chunks(ids, ASKED)) {
      if ((await Promise.all(some.map((id) => inspection.find(id)))).some((job) => job !== undefined)) return true;
    }
  }
  return false;
}

/** What there is to read of the failure of a job that failed elsewhere. */
async function errorOf(jobId: string, connections: ConnectionManager): Promise<Error> {
  const failed = await connections.failed().then((store) => store.find(jobId));
  return failed ? thrownAs(failed.exception) : new Error(`The job ${jobId} has failed, and no record of it was kept.`);
}

/** An error by the text that is kept of it: its name and message, then its stack. */
function thrownAs(text: string): Error {
  const [first = ''] = text.split('\n', 1);
  const [, name, message] = /^([\w$.]*(?:Error|Exception)[\w$]*)(?: \[[\w]+\])?: (.*)$/.exec(first) ?? [];
  const error = new Error(message ?? first);
  if (name !== undefined) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  error.stack = text;
  return error;
}
