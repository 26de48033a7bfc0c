// Calls and closures as users write them. Nothing here runs: the test (api.spec.ts) is that it compiles, and that every line expected
// not to compile does not.
import { Injectable } from '@nestjs/common';
import {
  call,
  Callable,
  closure,
  JOB_REF,
  Job,
  Queueable,
  type ClosureJob,
  type Dispatchable,
  type DispatchReceipt,
  type InlineClosure,
  type JobContext,
  type QueueBus,
  type QueueModuleOptions,
} from 'nestjs-queue';

@Injectable()
class Podcasts {
  readonly size: number = 1;
  @Callable() async publish(id: number): Promise<string> {
    return String(id);
  }
  @Callable() tag(_id: number, _tags: readonly string[], _force?: boolean): void {}
  @Callable() many(..._ids: number[]): void {}
}
abstract class Alerts {
  abstract raise(id: number): void;
}
@Job()
class ReportFailure extends Queueable {
  handle(): void {}
}

export const options: QueueModuleOptions = { key: 'k'.repeat(32), closures: { source: 'signed' } };

export async function dispatched(bus: QueueBus, id: number): Promise<readonly (DispatchReceipt | null)[]> {
  const raise: ClosureJob = call(Alerts, 'raise', id);
  await bus
    .dispatch(call(Podcasts, 'publish', id))
    .onQueue('media')
    .catch(raise);
  const receipt: DispatchReceipt | null = await bus.dispatch(
    call(Podcasts, 'publish', id).name('Publish').catch(raise),
  );
  await bus
    .dispatch(call(Podcasts, 'tag', id, ['a']))
    .delay('10m')
    .afterCommit();
  await bus.dispatch(call(Podcasts, 'tag', id, ['a'], true).onQueue('media').onConnection('redis').delay(new Date()));
  await bus.dispatch(call(Podcasts, 'many', 1, 2, 3));
  await bus.dispatchIf(id > 1, call(Podcasts, 'publish', id));
  await bus.dispatchUnless(
    () => id > 1,
    () => call(Podcasts, 'publish', id),
  );
  const answer: string = await bus.dispatchSync<string>(call(Podcasts, 'publish', id));
  bus.dispatchAfterResponse(call(Podcasts, 'publish', id));
  await bus.dispatch(closure({ id }, async (values, podcasts: Podcasts) => podcasts.publish(values.id), [Podcasts]));
  await bus.dispatch(closure({ id }, async ({ id: own }, podcasts) => podcasts.publish(own), [Podcasts]));
  await bus.dispatch(
    closure({ id }, (_values, job: JobContext) => job.release(10), [JOB_REF]).catch(new ReportFailure()),
  );
  await bus.dispatch(async () => console.log(id)).onConnection('sync');
  const inline: InlineClosure = () => answer;
  await bus.dispatch(inline).onConnection('deferred');
  const steps: readonly Dispatchable[] = [new ReportFailure(), call(Podcasts, 'publish', id)];
  await bus
    .chain(steps)
    .catch(call(Alerts, 'raise', id))
    .dispatch();
  return [receipt, ...(await bus.bulk([call(Podcasts, 'publish', 1), closure({}, () => 1)]))];
}

export function refused(bus: QueueBus): void {
  // @ts-expect-error publish takes a number
  call(Podcasts, 'publish', 'x');
  // @ts-expect-error publish takes one argument
  call(Podcasts, 'publish');
  // @ts-expect-error publish takes no more than one
  call(Podcasts, 'publish', 1, 2);
  // @ts-expect-error there is no such method
  call(Podcasts, 'drop', 1);
  // @ts-expect-error size is no method
  call(Podcasts, 'size', 1);
  // @ts-expect-error an instance is not its class
  call(new Podcasts(), 'publish', 1);
  // @ts-expect-error the tags are texts
  call(Podcasts, 'tag', 1, [2]);
  // @ts-expect-error a callback is a job
  call(Podcasts, 'publish', 1).catch(() => 1);
  // @ts-expect-error values are an object
  closure(1, () => 1);
  // @ts-expect-error the values have no such field
  closure({ id: 1 }, (values) => values.name);
  // @ts-expect-error an inline function is no job of a bulk
  void bus.bulk([() => 1]);
  // @ts-expect-error there are two answers
  const wrong: QueueModuleOptions = { closures: { source: 'yes' } };
  console.log(wrong);
}
