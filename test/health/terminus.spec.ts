import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, Module, type INestApplication } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { Job, QueueBus, QueueManager, QueueModule, type QueueModuleOptions } from 'nestjs-queue';
import { QueueHealthIndicator, QueueTerminusModule } from 'nestjs-queue/terminus';
import { sleep } from '../flows/open-app.js';

@Job()
class Greet {
  handle(): void {}
}

@Controller('health')
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(QueueHealthIndicator) private readonly queue: QueueHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.queue.isHealthy('queue', { maxWait: '20ms', timeout: 1 })]);
  }
}

@Module({ imports: [QueueTerminusModule], controllers: [HealthController] })
class HealthModule {}

let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function listen(options: QueueModuleOptions, health: object[] = [HealthModule]) {
  const module = await Test.createTestingModule({
    imports: [QueueModule.forRoot({ default: 'memory', ...options }), ...(health as never[])],
    providers: [Greet],
  }).compile();
  app = module.createNestApplication({ logger: false });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return async () => {
    const response = await fetch(`${url}/health`);
    const text = await response.text();
    return { status: response.status, text, body: JSON.parse(text) as { status: string; details: { queue: object } } };
  };
}

describe('the indicator of Terminus', () => {
  it('answers 200 where all is well, and 503 with the problems where it is not', async () => {
    const ask = await listen({});
    const well = await ask();
    expect(well.status).toBe(200);
    expect(well.body).toMatchObject({
      status: 'ok',
      info: { queue: { status: 'up', problems: [], connections: { memory: { status: 'up' } } } },
    });

    await app!.get(QueueBus).dispatch(new Greet());
    await sleep(30);
    const left = await ask();
    expect(left.status).toBe(503);
    expect(left.body).toMatchObject({
      status: 'error',
      error: { queue: { status: 'down', problems: [expect.stringMatching(/^Queue memory:default is not consumed/)] } },
    });

    await app!.get(QueueManager).pause('memory', 'default');
    expect((await ask()).body.details.queue).toMatchObject({ status: 'up', queues: [{ state: 'paused' }] });
  });

  it('shows no secret of a store that is away, and answers in time', async () => {
    const ask = await listen({
      default: 'main',
      connections: { main: { driver: 'redis', url: 'redis://user:swordfish@127.0.0.1:1' } as never },
    });
    const { status, text, body } = await ask();
    expect(status).toBe(503);
    expect(body.details.queue).toMatchObject({ status: 'down', connections: { main: { fault: 'unreachable' } } });
    expect(text).not.toContain('swordfish');
  });

  it('works as a plain provider beside TerminusModule', async () => {
    @Module({ imports: [TerminusModule], controllers: [HealthController], providers: [QueueHealthIndicator] })
    class Plain {}
    const ask = await listen({}, [Plain]);
    expect((await ask()).body.details.queue).toMatchObject({ status: 'up' });
  });
});
