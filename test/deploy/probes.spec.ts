import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Site, type Child } from '../flows/processes/site.js';
import { deployFile, deployYaml, dockerHealthCheck, dockerList } from './deploy-files.js';

interface Probes {
  readonly args: readonly string[];
  readonly startupProbe: { readonly httpGet: { readonly path: string } };
  readonly livenessProbe: { readonly httpGet: { readonly path: string } };
  readonly readinessProbe: { readonly httpGet: { readonly path: string } };
}

interface Deployment {
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly Probes[] } } };
}

let site: Site;
beforeEach(async () => {
  site = await Site.open();
}, 60_000);
afterEach(() => site.close());

/** A worker by the command line of a file, but on a port that is free; and what its port is. */
async function started(command: readonly string[]): Promise<{ readonly worker: Child; readonly port: number }> {
  const args = command.slice(3).map((arg) => arg.replace(/^--health-port=\d+$/, '--health-port=0'));
  const worker = site.start('worker', 'probed', args);
  await site.working('probed', worker);
  const port = /^Health: http:\/\/[^\s:]+:(\d+)/m.exec(worker.err)?.[1];
  if (port === undefined) throw new Error(`The worker names no port:\n${worker.err}`);
  return { worker, port: Number(port) };
}

async function asked(port: number, path: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  await response.text();
  return response.status;
}

describe('the probes of deploy/kubernetes.yaml', () => {
  it('find a worker alive and ready, and alive alone while it lets its last job end', async () => {
    const [container] = deployYaml<Deployment>('kubernetes.yaml').spec.template.spec.containers;
    const { startupProbe, livenessProbe, readinessProbe } = container!;
    const { worker, port } = await started(container!.args);
    const producer = await site.producer();
    await site.until('readiness', async () => (await asked(port, readinessProbe.httpGet.path)) === 200);
    expect(await asked(port, startupProbe.httpGet.path)).toBe(200);
    expect(await asked(port, livenessProbe.httpGet.path)).toBe(200);
    const metrics = /prometheus\.io\/path: (\S+)/.exec(deployFile('kubernetes.yaml'))![1]!;
    expect(await asked(port, metrics)).toBe(200);

    const [id] = await producer.dispatch(['Nap', 3_000]);
    await site.seen('start', id!);
    worker.kill('SIGTERM');
    await site.seen('interrupted', id!);
    expect(await asked(port, livenessProbe.httpGet.path)).toBe(200);
    expect(await asked(port, readinessProbe.httpGet.path)).toBe(503);
    expect(await worker.ended).toMatchObject({ code: 0, signal: null });
    expect(site.lines('processed', id)).toHaveLength(1);
  }, 60_000);
});

describe('the health check of deploy/Dockerfile', () => {
  it('ends with 0 while the worker answers, and with 1 when nothing does', async () => {
    const [program, ...args] = dockerHealthCheck();
    expect(program).toBe('node');
    const { worker, port } = await started(dockerList('CMD'));
    const check = async (): Promise<unknown> => {
      const own = args.map((arg) => arg.replace('127.0.0.1:9090', `127.0.0.1:${port}`));
      return (await once(spawn(process.execPath, own, { stdio: 'ignore' }), 'exit'))[0];
    };
    expect(await check()).toBe(0);
    await worker.end('SIGTERM');
    expect(await check()).toBe(1);
  }, 60_000);
});
