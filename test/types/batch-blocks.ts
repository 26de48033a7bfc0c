// What users write of batches, as the documented surface shows it. Nothing here runs: the test (api.spec.ts) is that it compiles, and that
// every line expected not to compile does not.
import { Controller, Get, Injectable, Param } from '@nestjs/common';
import { OnEvent } from '@nestjs/event-emitter';
import {
  BatchCancelled,
  BatchFinished,
  call,
  Callable,
  Job,
  Middleware,
  Queueable,
  QueueBus,
  SkipIfBatchCancelled,
  type Batch,
  type Dispatchable,
  type PendingBatch,
} from 'nestjs-queue';

@Job()
@Middleware(SkipIfBatchCancelled)
class Import extends Queueable {
  constructor(
    readonly from: number,
    readonly to: number,
  ) {
    super();
  }
  async handle(): Promise<void> {
    const batch = await this.batch();
    if (await this.batching()) await batch?.add([new Import(this.to, this.to + 1), [new Release(1), new Release(2)]]);
  }
}
@Job()
class Release extends Queueable {
  constructor(readonly id: number) {
    super();
  }
  handle(): void {}
}
@Injectable()
class Slack {
  @Callable() notify(_text: string): void {}
}
class Model {
  name = 'no job';
}

@Controller('imports')
export class Imports {
  constructor(private readonly bus: QueueBus) {}

  @Get() async start(fast: boolean): Promise<Batch> {
    const pending: PendingBatch = this.bus
      .batch([new Import(1, 100), fast && new Import(100, 200), [new Release(1), call(Slack, 'notify', 'x')]])
      .name('Import CSV')
      .onQueue('imports')
      .onConnection('redis')
      .allowFailures([new Release(3)])
      .withOption('rows', 100)
      .before(call(Slack, 'notify', 'begins'))
      .progress(new Release(4))
      .then(new Release(5))
      .catch(new Release(6))
      .finally(call(Slack, 'notify', 'done'));
    pending.add(new Release(7)).add([new Release(8), [new Release(9)]]);
    const step: Dispatchable = pending;
    await this.bus.chain([step, this.bus.batch([step])]).dispatch();
    const sent: Batch | null = await pending.dispatchIf(fast);
    await pending.dispatchUnless(() => fast);
    const late: Batch = await pending.dispatchAfterResponse();
    return sent ?? late;
  }

  @Get(':id') async find(@Param('id') id: string): Promise<Batch | null> {
    const pruned: number = await this.bus.pruneBatches({ hours: 0, unfinished: 72, cancelled: 72 });
    const batch = await this.bus.findBatch(id);
    const ended: Date | null | undefined = batch?.finishedAt;
    if (pruned > 0 && ended === null) await batch?.cancel();
    await (await batch?.fresh())?.delete();
    return batch;
  }

  async wrong(): Promise<void> {
    // @ts-expect-error a pending batch is no promise
    // oxlint-disable-next-line typescript/await-thenable -- that is what must not compile
    await this.bus.batch([new Release(1)]);
    // @ts-expect-error a member is a job
    this.bus.batch([new Model()]);
    // @ts-expect-error a class is no job
    this.bus.batch([Release]);
    // @ts-expect-error a callback is a job or a call, no function
    this.bus.batch([]).then(() => {});
    // @ts-expect-error a batch is sent by its own dispatch()
    await this.bus.dispatch(this.bus.batch([]));
    // @ts-expect-error arguments must fit the method
    this.bus.batch([]).finally(call(Slack, 'notify', 1));
  }
}

export class Listeners {
  @OnEvent(BatchFinished.event) finished({ batch }: BatchFinished): number {
    return batch.progress() + batch.processedJobs();
  }
  @OnEvent(BatchCancelled.event) cancelled({ batch, error }: BatchCancelled): unknown {
    return batch.hasFailures() && !batch.allowsFailures() ? error : null;
  }
}
