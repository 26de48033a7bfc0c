import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  getQueueConnectionToken,
  Job,
  QueueBus,
  QueueManager,
  QueueModule,
  unlimited,
  UnknownConnectionError,
  type PushEntry,
  type QueueConnection,
  type QueueModuleOptions,
  type QueueOptionsFactory,
} from 'nestjs-queue';

@Job()
class Routed {
  handle(): void {}
}

const boot = (options: object) =>
  Test.createTestingModule({ imports: [QueueModule.forRoot(options as QueueModuleOptions)] }).compile();

describe('QueueModule options', () => {
  it.each<[string, object, RegExp]>([
    ['an unknown option', { deflt: 'memory' }, /no option "deflt".*There are: .*default/],
    ['an unknown default', { default: 'nope' }, /\[nope\] queue connection has not been configured.*memory/],
    ['signatures without a key', { signing: 'require' }, /signing: 'require' needs a key.*QUEUE_KEY/],
    ['a word for signing that is none', { signing: 'on' }, /signing is neither 'off' nor 'require'/],
    ['a short key', { key: 'short' }, /key is too short.*32 characters/],
    [
      'a key ring without its current key',
      { key: { current: 'b', keys: { a: 'x'.repeat(32) } } },
      /"b", which key.keys does not have/,
    ],
    ['a schedule of nothing known', { schedule: { prune: '* * * * *' } as never }, /schedule\.prune is not an option/],
    [
      'a schedule without a cron',
      { schedule: { monitor: { queues: ['default'] } as never } },
      /monitor\.cron is missing/,
    ],
    [
      'a schedule that looks at a connection that is not there',
      { schedule: { monitor: { cron: '* * * * *', queues: ['nope:default'] } } },
      /There is no connection nope/,
    ],
  ])('refuses %s at boot, in one line', async (_, options, message) => {
    const error = await boot(options).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).toMatch(message);
    expect(error?.message).not.toContain('\n');
  });

  it('refuses a route to a connection that is not there', async () => {
    await expect(boot({ routes: [[Routed, { connection: 'nope' }]] })).rejects.toThrow(UnknownConnectionError);
  });

  it('takes options from a factory, a class, and an existing provider', async () => {
    class Options implements QueueOptionsFactory {
      createQueueOptions(): QueueModuleOptions {
        return { default: 'null' };
      }
    }
    const existing = { module: class Shared {}, providers: [Options], exports: [Options] };
    for (const registration of [
      QueueModule.forRootAsync({ useFactory: () => Promise.resolve({ default: 'null' }) }),
      QueueModule.forRootAsync({ useClass: Options }),
      QueueModule.forRootAsync({ imports: [existing], useExisting: Options }),
      QueueModule.forRootAsync({
        imports: [existing],
        inject: [Options],
        useFactory: (o: Options) => o.createQueueOptions(),
      }),
    ]) {
      const app = await Test.createTestingModule({ imports: [registration] }).compile();
      expect(await app.get(QueueBus).dispatch(new Routed())).toMatchObject({ connection: 'null', queue: 'default' });
      expect(app.get<QueueConnection>(getQueueConnectionToken()).driver).toBe('null');
      await app.close();
    }
    expect(() => QueueModule.forRootAsync({})).toThrow(/useFactory, useClass and useExisting/);
  });

  it('takes the driver of the default connection from extend() in a constructor, and refuses one that nobody brings', async () => {
    const pushed: string[] = [];
    const options = { default: 'k', connections: { k: { driver: 'kafka' } } } as unknown as QueueModuleOptions;
    const driver = {
      limits: unlimited,
      push: (entries: readonly PushEntry[]) => {
        pushed.push(...entries.map((one) => one.queue));
        return Promise.resolve(entries.map(() => ({ stored: true })));
      },
      reserve: () => Promise.resolve([]),
      settle: () => Promise.resolve([]),
      size: () => Promise.resolve([]),
    };
    @Injectable()
    class Brings {
      constructor(manager: QueueManager) {
        manager.extend('kafka', () => driver);
      }
    }
    const app = await Test.createTestingModule({
      imports: [QueueModule.forRoot(options)],
      providers: [Brings],
    }).compile();
    await app.init();
    await app.get(QueueBus).dispatch(new Routed());
    expect(pushed).toEqual(['default']);
    await app.close();

    const without = await Test.createTestingModule({ imports: [QueueModule.forRoot(options)] }).compile();
    await expect(without.init()).rejects.toThrow(/driver "kafka", which is not there/);
  });

  it('registers each connection as a provider', async () => {
    const app = await boot({ connections: { mine: { driver: 'memory', queue: 'inbox' } } });
    const mine = app.get<QueueConnection>(getQueueConnectionToken('mine'));
    expect([mine.name, mine.driver]).toEqual(['mine', 'memory']);
    expect(app.get<QueueConnection>(getQueueConnectionToken('sync')).driver).toBe('sync');
    await app.close();
  });
});
