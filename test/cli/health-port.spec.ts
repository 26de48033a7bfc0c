import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { buildFixture, type Fixture } from '../support/build-fixture.js';
import { NodeProcess, temporaryFolder } from './processes.js';

let fixture: Fixture;
let folder: ReturnType<typeof temporaryFolder>;
let processes: NodeProcess[];

beforeAll(async () => {
  fixture = await buildFixture('cli', 'test/cli/fixture');
}, 60_000);
beforeEach(() => {
  folder = temporaryFolder();
  processes = [];
});
afterEach(async () => {
  for (const one of processes) one.kill('SIGKILL');
  await Promise.all(processes.map((one) => one.ended));
  folder.remove();
});

function start(file: string, args: readonly string[], env?: Record<string, string>): NodeProcess {
  const one = new NodeProcess([join(fixture.folder, file), ...args], folder.path, env);
  processes.push(one);
  return one;
}

async function dispatch(...jobs: readonly (readonly string[])[]): Promise<void> {
  const ended = await start('dispatch.js', [JSON.stringify(jobs)]).ended;
  if (ended.code !== 0) throw new Error(ended.err);
}

/** Where the worker says that it tells its health. */
async function urlOf(worker: NodeProcess): Promise<string> {
  await worker.printed(/^Health: \S+ /m);
  return /^Health: (\S+) /m.exec(worker.err)![1]!;
}

async function ask(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { headers: { connection: 'close' } });
  return { status: response.status, text: await response.text() };
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Waited 20 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code).replaceAll("'", '%27')}`;

/** Has Node find none of these packages, and write the name of every other one that is imported. */
const WITHOUT = (...missing: readonly string[]): string =>
  `--import "${dataUrl(`
    import { register } from 'node:module';
    register(${JSON.stringify(
      dataUrl(`
        const missing = ${JSON.stringify(missing)};
        export async function resolve(specifier, context, next) {
          if (missing.includes(specifier)) {
            throw Object.assign(new Error('Cannot find package ' + specifier), { code: 'ERR_MODULE_NOT_FOUND' });
          }
          const found = await next(specifier, context);
          const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(found.url)?.[1];
          if (name) process._rawDebug('package ' + name);
          return found;
        }`),
    )});`)}"`;

describe('a worker process with --health-port', () => {
  it('is ready while it works, not ready while it drains, and gone with its worker', async () => {
    await dispatch(['Greet', 'Ada'], ['Explode', 'boom']);
    const worker = start('worker.js', ['--health-port=0', '--sleep=100ms', '--concurrency=2']);
    const url = await urlOf(worker);
    await until(async () => (await ask(`${url}/ready`)).status === 200, 'the worker to be ready');
    expect(JSON.parse((await ask(`${url}/live`)).text)).toMatchObject({
      status: 'up',
      workers: [{ connection: 'database', queues: ['default'], state: 'running' }],
    });
    const counted = 'nestjs_queue_jobs_processed_total{connection="database",queue="default",job="Greet"} 1';
    await until(async () => (await ask(`${url}/metrics`)).text.includes(counted), 'the first job to be counted');
    const { text } = await ask(`${url}/metrics`);
    expect(text).toMatch(/^nestjs_queue_job_wait_seconds_count\{.*job="Greet"\} 1$/m);
    expect(text).toMatch(/^nestjs_queue_up\{connection="database"\} 1$/m);

    await dispatch(['Doze', '4000']);
    await worker.printed('dozing');
    worker.kill('SIGTERM');
    await until(async () => (await ask(`${url}/ready`)).status === 503, 'the worker to drain');
    expect((await ask(`${url}/ready`)).text).toContain('was told to stop');
    expect((await ask(`${url}/live`)).status).toBe(200);
    const { code, err } = await worker.ended;
    expect(code).toBe(0);
    expect(err).toContain('woke');
    await expect(ask(`${url}/live`)).rejects.toThrow('fetch failed');

    const again = start('worker.js', [`--health-port=${new URL(url).port}`, '--stop-when-empty']);
    expect((await again.ended).code).toBe(0);
  }, 60_000);

  it('ends at once where the port is taken', async () => {
    const first = start('worker.js', ['--health-port=0', '--sleep=100ms']);
    const { port } = new URL(await urlOf(first));
    const second = await start('worker.js', [`--health-port=${port}`]).ended;
    expect(second.code).toBe(1);
    expect(second.err).toMatch(
      /^ERROR {2}Port \d+ of 127\.0\.0\.1 is in use: .*\n {7}Name a free one by --health-port.*\n$/,
    );
    expect((await first.end('SIGTERM')).code).toBe(0);
  }, 60_000);

  it('does without prom-client, and says what to install', async () => {
    const env = { NODE_OPTIONS: WITHOUT('prom-client', '@nestjs/terminus', '@opentelemetry/api') };
    const worker = start('worker.js', ['--health-port=0', '--sleep=100ms'], env);
    const url = await urlOf(worker);
    await until(async () => (await ask(`${url}/ready`)).status === 200, 'the worker to be ready');
    expect(await ask(`${url}/metrics`)).toEqual({
      status: 404,
      text: 'Metrics for Prometheus needs the package prom-client, which is not installed. Run: npm i prom-client\n',
    });
    expect((await worker.end('SIGTERM')).code).toBe(0);
  }, 60_000);
});

it('loads neither prom-client nor Terminus where nobody asks for them', async () => {
  await dispatch(['Greet', 'Ada']);
  const { code, err } = await start('worker.js', ['--stop-when-empty'], { NODE_OPTIONS: WITHOUT() }).ended;
  expect(code).toBe(0);
  expect(err).toContain('Hello Ada');
  const packages = new Set([...err.matchAll(/^package (.*)$/gm)].map(([, name]) => name));
  expect(packages).toContain('@nestjs/core');
  for (const peer of ['prom-client', '@nestjs/terminus']) expect(packages).not.toContain(peer);
}, 30_000);
