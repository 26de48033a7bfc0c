import { afterEach, describe, expect, it } from '@jest/globals';
import type { LoggerService } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Job, Queueable, QueueBus, QueueManager, QueueModule, WorkerService, type WorkerOptions } from 'nestjs-queue';

const ran: string[] = [];

@Job()
class Note extends Queueable {
  constructor(readonly text: string) {
    super();
  }
  handle(): void {
    ran.push(this.text);
  }
}

let app: TestingModule;
const errors: string[] = [];
const logger: LoggerService = {
  log() {},
  warn() {},
  debug() {},
  verbose() {},
  error: (text: string) => void errors.push(text),
};

async function boot(worker: WorkerOptions): Promise<void> {
  ran.length = errors.length = 0;
  app = await Test.createTestingModule({
    imports: [QueueModule.forRoot({ default: 'memory', worker })],
    providers: [Note],
  })
    .setLogger(logger)
    .compile();
  await app.init();
}

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds(); waited += 10) {
    if (waited > 5_000) throw new Error(`It did not come to pass: ${String(holds)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('a worker inside the application', () => {
  afterEach(() => app.close());

  it('begins anew after a restart mark, since its process stays', async () => {
    await boot({ sleep: '50ms' });
    const bus = app.get(QueueBus);
    await bus.dispatch(new Note('before'));
    await until(() => ran.length === 1);
    const stopped: string[] = [];
    app.get(QueueManager).stopping((event) => stopped.push(event.reason));
    await app.get(QueueManager).restartWorkers();
    await until(() => stopped.length === 1);
    await bus.dispatch(new Note('after'));
    await until(() => ran.length === 2);
    expect([ran, stopped, errors]).toEqual([['before', 'after'], ['restart_signal'], []]);
  });

  it('says that it has ended when a limit of its own ends it', async () => {
    await boot({ sleep: '50ms', maxJobs: 1 });
    await app.get(QueueBus).dispatch(new Note('only'));
    await until(() => errors.length > 0);
    expect(errors[0]).toMatch(/worker inside this application has ended \(max_jobs\)/);
    expect(app.get(WorkerService).status()).toEqual([]);
  });
});
