import type { MemberEnd } from '../contracts/batch-store.js';
import { hasHooks, type BatchPlan } from '../job/batch-plan.js';
import type { EnvelopeSeals } from '../job/envelope-seals.js';
import { withFreshIds } from '../job/renew-ids.js';
import { causeOf } from './failure-cause.js';
import type { Waiting } from './next-in-chain.js';

/** What is sent for the end of one member. Ids are made of the member's, so that each end sends them once. */
export function batchHooks(
  plan: BatchPlan,
  { jobId, outcome }: MemberEnd,
  error: Error | undefined,
  seals: EnvelopeSeals,
): readonly Waiting[] {
  if (!hasHooks(plan) || (error && !plan.allowFailures)) return [];
  const { progress = [], failure = [] } = plan.callbacks;
  const cause = error && causeOf(error);
  return [...progress, ...(error ? failure : [])].map((one) => {
    const written = withFreshIds(one, `${jobId} ${outcome}`, seals);
    return { written, envelope: cause ? { ...written, cause } : written };
  });
}
