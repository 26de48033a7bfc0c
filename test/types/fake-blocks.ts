// What users write of faked queues, as the documented surface shows it. Nothing here runs: the test (api.spec.ts) is that it compiles,
// and that every line expected not to compile does not.
import { Injectable } from '@nestjs/common';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { Callable, Job, Queueable, type PendingBatch } from 'nestjs-queue';
import { fakeQueue, QueueFake, QueueFakeError, type PushedRecord } from 'nestjs-queue/testing';

@Job()
class ShipOrder extends Queueable {
  constructor(readonly order: { id: number }) {
    super();
  }
  handle(): void {}
}
@Job()
class RecordShipment extends Queueable {
  constructor(readonly id: number) {
    super();
  }
  handle(): void {}
}
abstract class Mail extends Queueable {
  abstract readonly to: string;
}
@Injectable()
class Podcasts {
  @Callable() publish(_id: number): void {}
}

export async function asked(builder: TestingModuleBuilder): Promise<QueueFake> {
  fakeQueue(builder);
  fakeQueue(Test.createTestingModule({}), {});
  fakeQueue(builder, { only: [ShipOrder] });
  fakeQueue(builder, { except: [ShipOrder, RecordShipment] });
  // @ts-expect-error no builder
  fakeQueue(Test);
  // @ts-expect-error no list
  fakeQueue(builder, { only: ShipOrder });
  // @ts-expect-error instances are no classes
  fakeQueue(builder, { except: [new RecordShipment(1)] });
  // @ts-expect-error there is no such option
  fakeQueue(builder, { not: [ShipOrder] });

  const moduleRef = await fakeQueue(builder).compile();
  const queue = moduleRef.get(QueueFake);

  queue.assertPushed(ShipOrder);
  queue.assertPushed(ShipOrder, 2);
  queue.assertPushed(ShipOrder, (job) => job.order.id === 1);
  queue.assertPushed(ShipOrder, (job: ShipOrder, on: string) => on === 'emails' && job.order.id > 1);
  queue.assertPushed(Mail, ({ to }) => to === 'ann');
  queue.assertPushedOn('emails', ShipOrder);
  queue.assertPushedOn('emails', ShipOrder, (job) => job.order.id === 1);
  queue.assertPushedTimes(ShipOrder);
  queue.assertPushedTimes(ShipOrder, 3);
  queue.assertPushedOnce(ShipOrder);
  queue.assertNotPushed(ShipOrder, (job) => job.order.id === 1);
  queue.assertNothingPushed();
  queue.assertCount(3);
  // @ts-expect-error a name is no class
  queue.assertPushed('ShipOrder');
  // @ts-expect-error an instance is no class
  queue.assertPushed(new RecordShipment(1));
  // @ts-expect-error neither a number nor a function
  queue.assertPushed(ShipOrder, '2');
  // @ts-expect-error there is no such field
  queue.assertPushed(ShipOrder, (job) => job.parcel === 1);
  // @ts-expect-error a condition answers with yes or no
  queue.assertPushed(ShipOrder, (job) => job.order.id);
  // @ts-expect-error the queue comes first
  queue.assertPushedOn(ShipOrder, 'emails');
  // @ts-expect-error a number it is
  queue.assertPushedTimes(ShipOrder, () => true);
  // @ts-expect-error a class it is
  queue.assertNotPushed();
  // @ts-expect-error how many
  queue.assertCount();

  queue.assertCallPushed(Podcasts, 'publish');
  queue.assertCallPushed(Podcasts, 'publish', ([id]) => id === 1);
  queue.assertCallNotPushed(Podcasts, 'publish');
  // @ts-expect-error there is no such method
  queue.assertCallPushed(Podcasts, 'erase');
  queue.assertClosurePushed();
  queue.assertClosurePushed(2);
  queue.assertClosurePushed((one) => one !== null);
  queue.assertClosureNotPushed();

  const batch: object = queue.chainedBatch((pending: PendingBatch) => pending.jobs.length === 2);
  queue.assertChained([ShipOrder, new RecordShipment(1), batch]);
  queue.assertPushedWithChain(ShipOrder, [RecordShipment]);
  queue.assertPushedWithoutChain(ShipOrder);
  queue.assertDispatchedWithoutChain(ShipOrder);
  queue.assertNothingChained();
  // @ts-expect-error a chain is a list
  queue.assertChained(ShipOrder);
  // @ts-expect-error names are no jobs
  queue.assertChained(['ShipOrder']);
  // @ts-expect-error nothing is said of the chain
  queue.assertPushedWithChain(ShipOrder);
  // @ts-expect-error a batch has jobs
  queue.chainedBatch((pending) => pending.members.length === 2);

  queue.assertBatched((pending) => pending.options.name === 'import-csv' && pending.jobs.length === 10);
  queue.assertBatched([ShipOrder, [new RecordShipment(1), RecordShipment]]);
  queue.assertBatchCount(1);
  queue.assertNothingBatched();
  queue.assertNothingPlaced();
  // @ts-expect-error there is no such option
  queue.assertBatched((pending) => pending.options.label === 'x');
  // @ts-expect-error nothing is said of the batch
  queue.assertBatched();
  // @ts-expect-error a number it is
  queue.assertBatchCount('1');

  queue.assertDispatchedSync(ShipOrder);
  queue.assertDispatchedSync(ShipOrder, 1);
  queue.assertDispatchedSync(ShipOrder, (job) => job.order.id === 1);
  queue.assertNotDispatchedSync(ShipOrder);
  queue.assertDispatchedAfterResponse(ShipOrder, (job: ShipOrder) => job.order.id === 1);
  queue.assertNotDispatchedAfterResponse(ShipOrder);
  // @ts-expect-error an instance is no class
  queue.assertDispatchedSync(new RecordShipment(1));

  const jobs: ShipOrder[] = queue.pushed(ShipOrder);
  const some: ShipOrder[] = queue.pushed(ShipOrder, (job) => job.order.id === jobs.length);
  const batches: PendingBatch[] = queue.batched();
  const records: readonly PushedRecord[] = queue.records;
  // @ts-expect-error they are of that class
  const others: RecordShipment[] = queue.pushed(ShipOrder);
  queue.reset();
  const error = new QueueFakeError(`${some.length} ${batches.length} ${records.length} ${others.length}`);
  const code: string = error.code;
  return code === '' ? moduleRef.get<QueueFake>(QueueFake) : queue;
}
