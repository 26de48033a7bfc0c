import './own-data.js';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { QueueBus, QueueManager } from 'nestjs-queue';
import { drain, FakeClock, fakeQueue, QueueFake } from 'nestjs-queue/testing';
import 'nestjs-queue/testing/jest';
import { AppModule } from '../src/app.module.js';
import { SendPostcard } from '../src/jobs/send-postcard.job.js';
import { settings } from '../src/settings.js';

describe('postcards', () => {
  let app: TestingModule;

  afterEach(() => app.close());

  it('are not written down by a queue that is faked', async () => {
    app = await fakeQueue(Test.createTestingModule({ imports: [AppModule] })).compile();
    await app.get(QueueBus).dispatch(new SendPostcard('Porto', 'hello'));
    expect(app.get(QueueFake)).toHavePushed(SendPostcard, { on: 'default', where: ({ to }) => to === 'Porto' });
    expect(existsSync(settings.queue)).toBe(false);
  });

  it('go through the files, with a retry and a delay', async () => {
    app = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app.useLogger(false);
    const bus = app.get(QueueBus);
    const clock = new FakeClock();
    await bus.dispatch(new SendPostcard('Bergen', 'hello'));
    await bus.dispatch(new SendPostcard('Home', 'I am back')).delay('1h');
    await bus.dispatch(new SendPostcard('Porto', 'hello'));
    const attempts = await drain(app, { clock });
    expect(attempts.map(({ attempts, outcome }) => [attempts, outcome])).toEqual([
      [1, 'retry'],
      [1, 'done'],
      [2, 'done'],
      [1, 'done'],
    ]);
    expect(readFileSync(join(settings.postcards, 'Home.txt'), 'utf8')).toMatch(/: I am back\n$/);
    await expect(app.get(QueueManager).connection().size()).resolves.toMatchObject({ total: 0 });
  });
});
