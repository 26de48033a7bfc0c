import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  Body,
  Controller,
  Get,
  Inject,
  Injectable,
  Logger,
  Module,
  Post,
  UseGuards,
  UseInterceptors,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  type MiddlewareConsumer,
  type NestInterceptor,
  type NestModule,
  type CallHandler,
} from '@nestjs/common';
import { HttpAdapterHost, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { ServerResponse } from 'node:http';
import { ResponseContext } from '../../lib/nest/response-context.js';
import { buildFixture } from '../support/build-fixture.js';

const run = promisify(execFile);

const log: string[] = [];
const reported: unknown[] = [];
let context: ResponseContext;
let response: ServerResponse | undefined;

/** Notes what runs, and whether the response was out by then. */
function later(name: string): boolean {
  return context.afterResponse(async () => {
    await sleep(1);
    log.push(`${name}:${response?.writableFinished === true || response?.destroyed === true ? 'out' : 'early'}`);
  });
}

@Injectable()
class Guard implements CanActivate {
  async canActivate(execution: ExecutionContext): Promise<boolean> {
    const given = execution.switchToHttp().getResponse<{ raw?: ServerResponse }>();
    response = given.raw ?? (given as unknown as ServerResponse);
    await sleep(1);
    log.push(`guard ${later('guard')}`);
    return true;
  }
}
@Injectable()
class Interceptor implements NestInterceptor {
  intercept(_execution: ExecutionContext, next: CallHandler) {
    log.push(`interceptor ${later('interceptor')}`);
    return next.handle();
  }
}

@Controller()
@UseGuards(Guard)
@UseInterceptors(Interceptor)
class Api {
  @Get('get')
  async get(): Promise<string> {
    await sleep(1);
    log.push(`handler ${later('handler')}`);
    return 'ok';
  }
  @Post('post')
  async post(@Body() body: { n: number }): Promise<object> {
    await new Promise((resolve) => setImmediate(resolve));
    log.push(`handler ${later('handler')}`);
    return { n: body.n };
  }
  @Get('broken')
  broken(): string {
    context.afterResponse(() => Promise.reject(new Error('first')));
    context.afterResponse(() => {
      throw new Error('second');
    });
    later('third');
    return 'ok';
  }
  @Get('late')
  late(): string {
    void sleep(60).then(() => log.push(`late ${later('late')}`));
    return 'ok';
  }
  @Get('nested')
  nested(): string {
    context.afterResponse(async () => {
      later('inner');
      log.push('outer');
    });
    return 'ok';
  }
  @Get('hang')
  async hang(): Promise<string> {
    later('hang');
    await sleep(200);
    return 'too late';
  }
}

@Module({ controllers: [Api] })
class App implements NestModule {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}
  configure(consumer: MiddlewareConsumer): void {
    context.attach(this.host.httpAdapter);
    consumer
      .apply((_request: unknown, _response: unknown, next: () => void) => {
        log.push(`middleware ${context.afterResponse(async () => {})}`);
        next();
      })
      .forRoutes('get');
  }
}

let app: INestApplication | undefined;
const warnings = jest.spyOn(Logger.prototype, 'warn');
const staticWarnings = jest.spyOn(Logger, 'warn');

afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function start(adapter: ExpressAdapter | FastifyAdapter): Promise<string> {
  log.length = 0;
  reported.length = 0;
  response = undefined;
  context = new ResponseContext((error) => reported.push((error as Error).message));
  app = await NestFactory.create(App, adapter, {
    logger: ['warn', 'error'],
    // fetch() keeps its connections, which close() would wait for.
    forceCloseConnections: true,
  });
  app.setGlobalPrefix('api');
  await app.listen(0);
  return `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}/api`;
}

function adapterOf(kind: 'express' | 'fastify'): ExpressAdapter | FastifyAdapter {
  return kind === 'express' ? new ExpressAdapter() : new FastifyAdapter();
}

const SEEN = ['guard true', 'interceptor true', 'handler true'];
const RAN = ['guard:out', 'interceptor:out', 'handler:out'];

describe.each(['express', 'fastify'] as const)('ResponseContext on %s', (kind) => {
  it('knows the response in module middleware, guards, interceptors and async handlers, and runs in order once it is out', async () => {
    const url = await start(adapterOf(kind));
    expect(await (await fetch(`${url}/get`)).text()).toBe('ok');
    await context.pending();
    expect(log).toEqual(['middleware true', ...SEEN, ...RAN]);
    expect(warnings).not.toHaveBeenCalled();
    expect(staticWarnings).not.toHaveBeenCalled();
  });

  it('also after a body has been read, in one piece or in several', async () => {
    const url = await start(adapterOf(kind));
    const sent = await fetch(`${url}/post`, {
      method: 'POST',
      body: '{"n":1}',
      headers: { 'content-type': 'application/json' },
    });
    expect(await sent.json()).toEqual({ n: 1 });
    await context.pending();
    expect(log).toEqual([...SEEN, ...RAN]);
    log.length = 0;
    const answer = await new Promise<number>((resolve, reject) => {
      const one = httpRequest(
        `${url}/post`,
        { method: 'POST', headers: { 'content-type': 'application/json' } },
        (res) => {
          res.resume().on('end', () => resolve(res.statusCode!));
        },
      );
      one.on('error', reject);
      one.write('{"n"');
      setTimeout(() => one.end(':2}'), 30);
    });
    expect(answer).toBe(201);
    await context.pending();
    expect(log).toEqual([...SEEN, ...RAN]);
  });

  it('keeps requests apart', async () => {
    const url = await start(adapterOf(kind));
    await Promise.all(Array.from({ length: 20 }, () => fetch(`${url}/get`).then((res) => res.text())));
    await context.pending();
    expect(log.filter((line) => line === 'handler true')).toHaveLength(20);
    expect(log.filter((line) => line.startsWith('handler:'))).toHaveLength(20);
  });

  it('one that throws or rejects is reported and does not keep the next', async () => {
    const url = await start(adapterOf(kind));
    await (await fetch(`${url}/broken`)).text();
    await context.pending();
    expect(reported).toEqual(['first', 'second']);
    expect(log).toContain('third:out');
  });

  it('runs at once when the response is already out, and from inside another one', async () => {
    const url = await start(adapterOf(kind));
    await (await fetch(`${url}/late`)).text();
    await sleep(90);
    await context.pending();
    expect(log).toEqual(expect.arrayContaining(['late true', 'late:out']));
    await (await fetch(`${url}/nested`)).text();
    await context.pending();
    expect(log).toEqual(expect.arrayContaining(['outer', 'inner:out']));
  });

  it('runs when the client goes away before the answer', async () => {
    const url = await start(adapterOf(kind));
    const abort = new AbortController();
    const asked = fetch(`${url}/hang`, { signal: abort.signal }).catch(() => 'gone');
    await sleep(50);
    abort.abort();
    expect(await asked).toBe('gone');
    await context.pending();
    expect(log).toContain('hang:out');
  });
});

describe('ResponseContext elsewhere', () => {
  it('finds the request again after a Fastify hook that went on from another async context', async () => {
    const waiting: (() => void)[] = [];
    const timer = setInterval(() => waiting.splice(0).forEach((done) => done()), 5);
    const adapter = new FastifyAdapter();
    adapter.getInstance().addHook('preParsing', (_request, _reply, _payload, done) => void waiting.push(done));
    const url = await start(adapter);
    await (await fetch(`${url}/get`)).text();
    await context.pending();
    clearInterval(timer);
    expect(log).toEqual(['middleware true', ...SEEN, ...RAN]);
  });

  it('works under Fastify’s inject(), with and without a body', async () => {
    const { folder } = await buildFixture('nest', 'test/nest/fixture');
    const { stdout, stderr } = await run(process.execPath, [
      join(folder, 'inject.js'),
      new URL('../../dist-test/lib/nest/response-context.js', import.meta.url).href,
    ]);
    // inject() answers a little after the response is out.
    expect(stdout.trim().split('\n')).toEqual(['after get', 'get true', 'after post', 'post 3 true']);
    expect(stderr).toBe('');
  });

  it('outside a request it keeps nothing and says so; without HTTP there is nothing to attach to', async () => {
    context = new ResponseContext();
    const fn = jest.fn(async () => {});
    expect(context.afterResponse(fn)).toBe(false);
    context.attach(undefined);
    await context.pending();
    expect(fn).not.toHaveBeenCalled();
    log.length = 0;
    const application = await NestFactory.createApplicationContext(App, { logger: ['warn', 'error'] });
    expect(context.afterResponse(fn)).toBe(false);
    await application.close();
  });
});
