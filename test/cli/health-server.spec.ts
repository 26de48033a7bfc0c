import { afterEach, describe, expect, it } from '@jest/globals';
import { CommandError } from '../../lib/cli/command-error.js';
import { startHealth } from '../../lib/cli/health-flags.js';
import { HealthServer, type HealthSubject } from '../../lib/cli/health-server.js';
import { MissingPackageError } from '../../lib/support/load-peer.js';
import type { WorkerVitals } from '../../lib/worker/tally.js';
import { Recorder } from './recorder.js';

const worker: WorkerVitals = {
  connection: 'main',
  queues: ['high', 'low'],
  state: 'running',
  running: 0,
  processed: 0,
  failed: 0,
  since: new Date(),
  lastJobAt: null,
  stuck: false,
  overdueMs: 0,
};
const well = { status: 'up', connections: {}, queues: [], workers: [], problems: [] } as const;
const ill = { ...well, status: 'down', problems: ['The store is away.'] } as const;

const servers: HealthServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function listen(subject?: Partial<HealthSubject>, vitals: readonly WorkerVitals[] = [worker]) {
  const server = await HealthServer.listen(0, '127.0.0.1');
  servers.push(server);
  if (subject)
    await server.attach({
      health: { check: async () => well, live: () => well },
      vitals: () => vitals,
      metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: async () => 'up 1\n' }),
      ...subject,
    });
  const ask = async (path: string, method = 'GET') => {
    const response = await fetch(`${server.url}${path}`, { method });
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
  return { server, ask };
}

describe('the server that tells how a worker is', () => {
  it('is alive and not ready while the application boots', async () => {
    const { ask } = await listen();
    expect((await ask('/live')).status).toBe(200);
    expect(await ask('/ready')).toMatchObject({ status: 503, text: expect.stringContaining('still booting') });
    expect(await ask('/metrics')).toMatchObject({ status: 404, text: 'The application is still booting.\n' });
  });

  it('answers 200 or 503 by what it finds, as JSON that nobody keeps', async () => {
    const { ask } = await listen({});
    const live = await ask('/live?verbose');
    expect([live.status, JSON.parse(live.text)]).toEqual([200, { ...well }]);
    expect(live.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(live.headers.get('cache-control')).toBe('no-store');
    expect((await ask('/ready')).status).toBe(200);
    expect(await ask('/metrics')).toMatchObject({ status: 200, text: 'up 1\n' });

    const sick = await listen({ health: { check: async () => ill, live: () => ill } });
    expect(await sick.ask('/live')).toMatchObject({ status: 503, text: expect.stringContaining('The store is away.') });
    expect((await sick.ask('/ready')).status).toBe(503);
  });

  it("asks for the worker's own queues, without a limit for how long jobs wait", async () => {
    const asked: unknown[] = [];
    const check = async (options: unknown) => (asked.push(options), well);
    const { ask } = await listen({ health: { check, live: () => well } });
    await ask('/ready');
    expect(asked).toEqual([{ worker: true, maxWait: false, queues: ['main:high', 'main:low'] }]);
  });

  it('is alive and not ready from when it was told to stop, or its worker stops by itself', async () => {
    const told = await listen({});
    told.server.drain();
    expect([(await told.ask('/ready')).status, (await told.ask('/live')).status]).toEqual([503, 200]);
    const stopping = await listen({}, [{ ...worker, state: 'stopping' }]);
    expect([(await stopping.ask('/ready')).status, (await stopping.ask('/live')).status]).toEqual([503, 200]);
  });

  it('says how metrics are to be had where they are not', async () => {
    const missing = new MissingPackageError('prom-client', 'Metrics for Prometheus', 'npm i prom-client', undefined);
    const { ask } = await listen({ metrics: async () => Promise.reject(missing) });
    expect(await ask('/metrics')).toMatchObject({
      status: 404,
      text: 'Metrics for Prometheus needs the package prom-client, which is not installed. Run: npm i prom-client\n',
    });
  });

  it('knows GET and HEAD, three paths, and survives what breaks behind it', async () => {
    const { ask } = await listen({
      health: { check: async () => Promise.reject(new Error('broken')), live: () => well },
    });
    const head = await ask('/live', 'HEAD');
    expect([head.status, head.text]).toEqual([200, '']);
    expect(await ask('/live', 'POST')).toMatchObject({ status: 405 });
    expect(await ask('/')).toMatchObject({ status: 404, text: expect.stringContaining('/live, /ready and /metrics') });
    expect(await ask('/ready')).toMatchObject({ status: 500, text: expect.stringContaining('broken') });
    expect((await ask('/live')).status).toBe(200);
  });

  it('says which port it could not have', async () => {
    const { server } = await listen();
    const port = Number(new URL(server.url).port);
    const refused = await HealthServer.listen(port, '127.0.0.1').catch((error: unknown) => error as CommandError);
    expect(refused).toBeInstanceOf(CommandError);
    expect(refused).toMatchObject({ message: `Port ${port} of 127.0.0.1 is in use: health cannot be told there.` });
    await expect(HealthServer.listen(0, '203.0.113.1')).rejects.toThrow(/^Health cannot be told on port 0 of 203/);
  });

  it('does not wait for clients that keep their connection when it closes', async () => {
    const { server, ask } = await listen({});
    await ask('/live');
    await server.close();
    servers.length = 0;
    await expect(ask('/live')).rejects.toThrow('fetch failed');
  });
});

describe('its flags', () => {
  it('start nothing unless there is a port, and say where it listens', async () => {
    const recorder = new Recorder({});
    expect(await startHealth({}, recorder.output({}))).toBeUndefined();
    await expect(startHealth({ healthHost: '0.0.0.0' }, recorder.output({}))).rejects.toThrow(/there is no port/);
    const server = await startHealth({ healthPort: 0 }, recorder.output({}));
    servers.push(server!);
    expect(recorder.err).toBe(`Health: ${server!.url} (/live /ready /metrics)\n`);
    expect(server!.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const all = await startHealth({ healthPort: 0, healthHost: '0.0.0.0' }, recorder.output({ quiet: true }));
    servers.push(all!);
    expect(all!.url).toMatch(/^http:\/\/0\.0\.0\.0:\d+$/);
    expect(recorder.err.split('\n')).toHaveLength(2);
  });
});
