import type { JobEnvelope } from '../contracts/job-envelope.js';
import type { AttemptContext } from '../job/job-context.js';
import type { RegisteredJob } from '../job/job-registry.js';
import { runThrough } from '../middleware/compose.js';
import { middlewareOf } from '../middleware/middleware-of.js';
import type { RunServices } from './run-options.js';
import { untilStart } from './until-start.js';

/**
 * Brings a job back and runs its handler inside its middleware.
 *
 * @param opened told of the job once it is whole: an error before that is about the job, not of it
 * @returns what the handler returned
 */
export async function performJob(
  registered: RegisteredJob,
  envelope: JobEnvelope,
  context: AttemptContext,
  services: Pick<RunServices<unknown>, 'revive' | 'through' | 'others'>,
  opened: (job: object) => void,
): Promise<unknown> {
  const { others } = services;
  if (envelope.debounce && others && (await others.superseded(envelope, context))) {
    context.superseded = true;
    return undefined;
  }
  const opening = registered.open(context);
  const scope = opening instanceof Promise ? await opening : opening;
  const reviving = services.revive(registered, envelope, context);
  const job = reviving instanceof Promise ? await reviving : reviving;
  const travelled = envelope.middleware === undefined ? undefined : await services.through(envelope, context.id);
  scope.inject(job);
  opened(job);
  const middleware = middlewareOf(registered.definition, job, scope, travelled);
  if (others && envelope.unique?.until === 'start') {
    const run = async (handle: () => unknown): Promise<unknown> =>
      middleware === undefined ? handle() : runThrough(await middleware, job, context, handle);
    return untilStart(
      context,
      run,
      () => scope.handle(job),
      () => others.started(envelope, context),
    );
  }
  return middleware === undefined
    ? scope.handle(job)
    : runThrough(await middleware, job, context, () => scope.handle(job));
}
