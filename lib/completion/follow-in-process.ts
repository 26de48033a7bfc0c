import type { EndedAttempt } from './after-attempt.js';
import { plan, raiseSkipped, type ChainServices } from './follow-chain.js';

/**
 * The same for a job that was run in this process, which nobody holds: what follows it is sent at once. A step on such a connection runs
 * within this.
 *
 * @throws what a step threw, or the error of a store that did not take it; of a job that has failed itself, nothing
 */
export async function followInProcess({ context, outcome }: EndedAttempt, services: ChainServices): Promise<void> {
  const { envelope, following } = context;
  if (!envelope || (!envelope.chain && !envelope.catch && !following) || outcome.kind === 'retry') return;
  if (context.handedOver) return;
  const error = outcome.kind === 'failed' ? outcome.error : undefined;
  const told = (failure: unknown): void => {
    services.report(`${context.displayName} [${context.id}] has ended, but what follows it could not be sent`, failure);
    if (!error) throw failure;
  };
  try {
    const planned = await plan(context, envelope, error, services);
    for (const failure of planned.misplaced) await services.record(failure);
    raiseSkipped(planned.skipped, services.hub);
    for (const { connection, outgoing, stored } of planned.jobs) {
      const { storeless } = await connection.queue();
      const pushed = connection.push([outgoing]);
      // What a job throws that runs within this push has been told by then; where its chain goes on it is its caller's all the same.
      await (storeless && error ? pushed.catch(() => {}) : storeless ? pushed : pushed.catch(told));
      await stored?.();
    }
  } catch (failure) {
    if (!error) throw failure;
    told(failure);
  }
}
