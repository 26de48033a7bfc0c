// What users write to run jobs in tests, as the documented surface shows it. Nothing here runs: the test (api.spec.ts) is that it compiles,
// and that every line expected not to compile does not.
import type { INestApplication } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { call, Callable, Job, Queueable, QueueBus, QueueModule } from 'nestjs-queue';
import { drain, FakeClock, queueSpy, runJob, useClock, type DrainedAttempt, type SpiedJob } from 'nestjs-queue/testing';

@Job()
class Ship extends Queueable {
  constructor(readonly id: number) {
    super();
  }
  handle(): void {}
}
class Shop {
  @Callable()
  close(_hard: boolean): void {}
}

export async function compiles(app: INestApplication): Promise<void> {
  const moduleRef: TestingModule = await Test.createTestingModule({ imports: [QueueModule.forRoot()] }).compile();
  const clock: FakeClock = new FakeClock(new Date(0));
  const now: number = clock.now();
  const moved: Promise<void> = clock.advance('1h');
  await clock.advanceTo(new Date(now));
  useClock(moduleRef, clock);
  useClock(app, clock);

  const ran: { outcome: 'done' | 'retry' | 'failed'; delay?: number; error?: unknown } = await runJob(
    moduleRef,
    new Ship(1),
    { attempts: 2 },
  );
  await runJob(app, call(Shop, 'close', true));
  const attempts: { name: string; attempts: number; outcome: string; error?: unknown }[] = await drain(moduleRef, {
    connection: 'memory',
    queues: ['default'],
    clock,
    maxAttempts: 10,
  });
  const [first]: DrainedAttempt[] = await drain(app);
  await app.get(QueueBus).dispatch(new Ship(2));
  const spy = queueSpy(app);
  const seen: SpiedJob = await spy.waitFor(Ship, 'processed', { timeout: '2s', where: (job) => job.id === 1 });
  for (const state of ['queued', 'processing', 'released', 'failed'] as const) await spy.waitFor(Ship, state);
  spy.close();
  void [moved, ran, attempts, first, seen];

  // @ts-expect-error a class is not a job
  await runJob(moduleRef, Ship);
  // @ts-expect-error nothing to run
  await runJob(moduleRef, { id: 1 });
  // @ts-expect-error a number of an attempt
  await runJob(moduleRef, new Ship(1), { attempts: 'first' });
  // @ts-expect-error a list of queues
  await drain(moduleRef, { queues: 'default' });
  // @ts-expect-error not a clock
  await drain(moduleRef, { clock: Date });
  // @ts-expect-error there is no such option
  await drain(moduleRef, { limit: 3 });
  // @ts-expect-error not a clock that can be moved
  useClock(moduleRef, Date);
  // @ts-expect-error no state of a job
  await spy.waitFor(Ship, 'done');
  // @ts-expect-error an instance is not a class
  await spy.waitFor(new Ship(1), 'processed');
  // @ts-expect-error the job has no such field
  await spy.waitFor(Ship, 'processed', { where: (job) => job.customer === 1 });
  // @ts-expect-error no duration
  await spy.waitFor(Ship, 'processed', { timeout: new Date() });
}
