import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Module, type DynamicModule } from '@nestjs/common';
import { ConfigModule, ConfigService, registerAs, type ConfigType } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { queueConfig } from '../../lib/nest/queue.config.js';
import type { QueueModuleAsyncOptions, QueueModuleOptions } from '../../lib/nest/queue-module-options.js';

const NAMES = [
  'QUEUE_CONNECTION',
  'REDIS_URL',
  'QUEUE_DATABASE_URL',
  'QUEUE_KEY',
  'QUEUE_FAILED_DRIVER',
  'QUEUE_DISPATCH_TIMEOUT',
];
const before = new Map(NAMES.map((name) => [name, process.env[name]]));

beforeEach(() => NAMES.forEach((name) => delete process.env[name]));
afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

/** Takes asynchronous options as QueueModule.forRootAsync does. */
@Module({})
class Taker {
  static forRootAsync(options: QueueModuleAsyncOptions): DynamicModule {
    const { imports = [], inject = [], useFactory = () => ({}) } = options;
    return { module: Taker, imports, providers: [{ provide: 'OPTIONS', inject, useFactory }] };
  }
}

describe('queueConfig', () => {
  it('says only what is set', () => {
    expect(queueConfig()).toEqual({});
    Object.assign(process.env, { QUEUE_CONNECTION: ' ', REDIS_URL: '' });
    expect(queueConfig()).toEqual({});
    process.env['QUEUE_CONNECTION'] = 'redis';
    expect(queueConfig()).toEqual({ default: 'redis' });
  });

  it('reads every variable when it is called', () => {
    Object.assign(process.env, {
      QUEUE_CONNECTION: 'redis',
      REDIS_URL: 'redis://cache:6379',
      QUEUE_DATABASE_URL: './jobs.sqlite',
      QUEUE_KEY: 'k'.repeat(32),
      QUEUE_FAILED_DRIVER: 'null',
      QUEUE_DISPATCH_TIMEOUT: '2.5',
    });
    const options: QueueModuleOptions = queueConfig();
    expect(options).toEqual({
      default: 'redis',
      connections: { redis: { driver: 'redis', url: 'redis://cache:6379' }, database: { driver: 'database' } },
      key: 'k'.repeat(32),
      failed: { driver: 'null' },
      dispatchTimeout: 2.5,
    });
    process.env['QUEUE_DISPATCH_TIMEOUT'] = '500ms';
    expect(queueConfig().dispatchTimeout).toBe('500ms');
  });

  it('has the properties that registerAs() gives, none of them enumerable', () => {
    const real = registerAs('queue', () => ({}));
    const names = (one: object) =>
      Object.getOwnPropertyNames(one)
        .filter((name) => !['length', 'name', 'prototype'].includes(name))
        .sort();
    expect(names(queueConfig)).toEqual(names(real));
    expect(queueConfig.KEY).toBe(real.KEY);
    expect(Object.keys(queueConfig)).toEqual([]);
    const known = (one: object) => (one as Record<string, unknown>)['PARTIAL_CONFIGURATION_KEY'];
    expect(known(queueConfig)).toBe(known(real));
  });

  it('loads with ConfigModule.forRoot, as a namespace and as a token', async () => {
    process.env['QUEUE_CONNECTION'] = 'memory';
    const app = await Test.createTestingModule({
      imports: [ConfigModule.forRoot({ ignoreEnvFile: true, load: [queueConfig] })],
    }).compile();
    expect(app.get(ConfigService).get('queue.default')).toBe('memory');
    const config: ConfigType<typeof queueConfig> = app.get(queueConfig.KEY);
    expect(config).toEqual({ default: 'memory' });
  });

  it('asProvider() feeds forRootAsync, with and without a ConfigModule of the application', async () => {
    process.env['QUEUE_CONNECTION'] = 'memory';
    const alone = await Test.createTestingModule({ imports: [Taker.forRootAsync(queueConfig.asProvider())] }).compile();
    expect(alone.get('OPTIONS', { strict: false })).toEqual({ default: 'memory' });
    const both = await Test.createTestingModule({
      imports: [
        ConfigModule.forRoot({ ignoreEnvFile: true, isGlobal: true }),
        Taker.forRootAsync(queueConfig.asProvider()),
      ],
    }).compile();
    expect(both.get('OPTIONS', { strict: false })).toEqual({ default: 'memory' });
  });
});
