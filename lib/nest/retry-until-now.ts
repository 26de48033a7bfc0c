import { randomUUID } from 'node:crypto';
import type { JobContext } from '../contracts/job-context.js';
import type { JobEnvelope } from '../contracts/job-envelope.js';
import { AttemptContext, type AttemptServices } from '../job/job-context.js';
import { freezePolicies } from '../job/job-policies.js';
import type { JobRegistry, RegisteredJob } from '../job/job-registry.js';
import type { Clock } from '../support/clock.js';

/** What the job's `retryUntil()` says now; what travelled, where the class does not decide by a method. */
export async function retryUntilNow(
  envelope: JobEnvelope,
  registry: JobRegistry,
  revive: (registered: RegisteredJob, envelope: JobEnvelope, context: JobContext) => object | Promise<object>,
  services: AttemptServices,
  clock: Clock,
): Promise<number | undefined> {
  const registered = registry.find(envelope.name);
  const method = (registered?.definition.type.prototype as { retryUntil?: unknown } | undefined)?.retryUntil;
  if (!registered || typeof method !== 'function') return undefined;
  const reserved = {
    id: envelope.uuid,
    queue: '',
    body: '',
    priority: 0,
    attempts: 1,
    stalls: 0,
    token: randomUUID(),
    leasedUntil: 0,
  };
  const job = await revive(registered, envelope, new AttemptContext('', reserved, envelope, services));
  return freezePolicies(job, registered.definition, clock.now()).retryUntil;
}
