// How a test looks at what a job asked for, as the documented surface shows it. Nothing here runs: the test (api.spec.ts) is that it
// compiles, and that every line expected not to compile does not.
import { Inject, type Type } from '@nestjs/common';
import {
  Job,
  JOB_REF,
  JobAssertionError,
  Queueable,
  type Batch,
  type Dispatchable,
  type Duration,
  type FakeBatch,
  type JobContext,
} from 'nestjs-queue';
import { fakeBatch, fakeJobContext, type FakeBatchData, type FakeJobContext } from 'nestjs-queue/testing';

class Stock {
  left(_order: number): number {
    return 0;
  }
}
class OutOfStock extends Error {}

@Job()
class ShipOrder extends Queueable {
  constructor(readonly order: number) {
    super();
  }
  async handle(@Inject() stock: Stock): Promise<void> {
    if ((await this.batch())?.cancelled()) return;
    if (stock.left(this.order) === 0) return this.fail(new OutOfStock('no stock'));
    this.appendToChain(new ShipOrder(this.order + 1));
  }
}
@Job()
export class Plain {
  handle(@Inject(JOB_REF) context: JobContext): void {
    context.release('30s');
  }
}

export async function tests(): Promise<void> {
  const job: ShipOrder = new ShipOrder(1).withFakeQueueInteractions();
  await job.handle(new Stock());
  job
    .assertReleased()
    .assertReleased(30)
    .assertReleased('30s')
    .assertNotReleased()
    .assertDeleted()
    .assertNotDeleted()
    .assertFailed()
    .assertNotFailed()
    .assertFailedWith('no stock')
    .assertFailedWith(/stock/)
    .assertFailedWith(OutOfStock)
    .assertFailedWith(new OutOfStock('no stock'))
    .assertHasChain([ShipOrder, new ShipOrder(2)])
    .assertDoesntHaveChain()
    .order.toFixed();

  const [batched, batch]: [ShipOrder, FakeBatch] = new ShipOrder(1).withFakeBatch({ cancelledAt: new Date() });
  await batched.withFakeQueueInteractions().handle(new Stock());
  const added: readonly Dispatchable[] = batch.added;
  const real: Batch = batch;
  const deleted: boolean = batch.deleted();

  const context: FakeJobContext = fakeJobContext({ attempts: 2, batch: fakeBatch({ name: 'Import' }) });
  context.attempts = 3;
  context.abort(new Error('timed out'));
  new Plain().handle(context);
  context.assertReleased('30s').assertNotFailed().assertFailedWith(OutOfStock);
  const data: FakeBatchData = { totalJobs: 3 };
  const error = new JobAssertionError('x', { expected: 1, actual: 2 });
  void [added, real, deleted, data, error.code, error.expected, error.actual];

  // @ts-expect-error a delay is not a moment
  job.assertReleased(new Date());
  // @ts-expect-error nor a truth value
  job.assertReleased(true);
  // @ts-expect-error nothing to compare with
  job.assertFailedWith();
  // @ts-expect-error a number is no message
  job.assertFailedWith(5);
  // @ts-expect-error no class of errors
  job.assertFailedWith(Stock);
  // @ts-expect-error a list
  job.assertHasChain(ShipOrder);
  // @ts-expect-error of classes or instances
  job.assertHasChain(['ShipOrder']);
  // @ts-expect-error takes nothing
  job.assertNotReleased(30);
  // @ts-expect-error a batch is described by its properties
  job.withFakeBatch('Import');
  // @ts-expect-error what was added is read only
  batch.added.push(new ShipOrder(1));
  // @ts-expect-error the name of a batch is a text
  fakeBatch({ name: 5 });
  // @ts-expect-error a batch has no such property
  fakeBatch({ nmae: 'Import' });
  // @ts-expect-error attempts are counted
  fakeJobContext({ attempts: '2' });
}

/** One type, not only one that fits. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Takes<K extends keyof Queueable> = Queueable[K] extends (...args: infer A) => unknown ? A : never;

// The documented signatures, to the letter.
export const documented: readonly true[] = [
  true satisfies Same<Takes<'withFakeQueueInteractions'>, []>,
  true satisfies Same<Takes<'withFakeBatch'>, [data?: object]>,
  true satisfies Same<ReturnType<ShipOrder['withFakeBatch']>, [ShipOrder, FakeBatch]>,
  true satisfies Same<Takes<'assertReleased'>, [delay?: Duration]>,
  true satisfies Same<Takes<'assertNotReleased'>, []>,
  true satisfies Same<Takes<'assertDeleted'>, []>,
  true satisfies Same<Takes<'assertNotDeleted'>, []>,
  true satisfies Same<Takes<'assertFailed'>, []>,
  true satisfies Same<Takes<'assertNotFailed'>, []>,
  true satisfies Same<Takes<'assertFailedWith'>, [expected: string | RegExp | Error | Type<Error>]>,
  true satisfies Same<Takes<'assertHasChain'>, [expected: readonly (Type | object)[]]>,
  true satisfies Same<Takes<'assertDoesntHaveChain'>, []>,
];
