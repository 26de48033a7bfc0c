import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { BatchJob } from '../job/batch-job.js';
import { isWritten, readBatchPlan, type BatchMoment, type BatchPlan } from '../job/batch-plan.js';
import type { EnvelopeSeals } from '../job/envelope-seals.js';
import type { AttemptContext } from '../job/job-context.js';
import { InvalidPayloadError } from '../job/payload-errors.js';
import { withFreshIds } from '../job/renew-ids.js';
import { namedUuid } from '../support/named-uuid.js';
import type { WrittenMember } from './write-chain.js';

/** A batch as it waited inside a job. */
interface InsideBatch {
  readonly id: string;
  readonly plan: BatchPlan;
  readonly members: readonly WrittenMember[];
}

/**
 * What is in a job that is a batch, with what the job stands in: the rest of its chain, the batch that it is a member of.
 *
 * @throws InvalidPayloadError for what is none
 */
export function insideBatch(job: BatchJob, context: AttemptContext, seals: EnvelopeSeals): InsideBatch {
  const { envelope } = context;
  const id = namedUuid(context.id, 'batch');
  // A callback that is a batch is sent under another id each time, and is another batch then.
  const moved = (one: JobEnvelope): JobEnvelope => (job.innerId === id ? one : movedTo(one, id, context.id, seals));
  const members = membersOf(job).map(moved);
  const { callbacks, ...plan } = readBatchPlan(job.plan);
  const called = Object.entries(callbacks).map(([moment, jobs]) => [moment, jobs.map(moved)] as const);
  const chain = envelope?.chain;
  return {
    id,
    plan: {
      ...plan,
      callbacks: Object.fromEntries(called) as Partial<Record<BatchMoment, readonly JobEnvelope[]>>,
      ...(chain && { chain }),
      ...(envelope?.batchId !== undefined && { parent: { batchId: envelope.batchId, jobId: context.id } }),
    },
    members: members.map((one) => ({
      ids: [one.uuid, ...(one.chain?.rest ?? []).map(({ uuid }) => uuid)],
      written: one,
      envelope: one,
      job: one,
    })),
  };
}

function membersOf(job: BatchJob): readonly JobEnvelope[] {
  try {
    const members = JSON.parse(job.members) as unknown;
    if (typeof job.plan === 'string' && Array.isArray(members) && members.every(isWritten)) return members;
  } catch {
    // Said below.
  }
  throw new InvalidPayloadError('The body of the batch holds no list of members. It was not run; its bytes are kept.');
}

function movedTo(envelope: JobEnvelope, id: string, nonce: string, seals: EnvelopeSeals): JobEnvelope {
  const fresh = withFreshIds(envelope, nonce, seals);
  const inside = (one: JobEnvelope): JobEnvelope => {
    const changed: JobEnvelope = {
      ...one,
      ...(one.batchId !== undefined && { batchId: id }),
      ...(one.callbackOf !== undefined && { callbackOf: id }),
      ...(one.chain && { chain: { ...one.chain, rest: one.chain.rest.map(inside) } }),
    };
    return seals.resigned(one, one.uuid, changed);
  };
  return inside(fresh);
}
