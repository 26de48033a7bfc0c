import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Command } from 'commander';
import { work } from '../../lib/cli/commands/work.js';
import { workerOptions, type WorkerFlags } from '../../lib/cli/worker-flags.js';
import { DEPLOY, deployFile, deployYaml, dockerList, iniValue, pm2Applications } from './deploy-files.js';

const ROOT = join(DEPLOY, '..');

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Deployment {
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly restartPolicy: string;
        readonly containers: readonly {
          readonly args: readonly string[];
          readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
          readonly startupProbe: Probe;
          readonly livenessProbe: Probe & { readonly timeoutSeconds: number };
          readonly readinessProbe: Probe & { readonly timeoutSeconds: number };
          readonly resources: { readonly limits: { readonly memory: string } };
        }[];
      };
    };
  };
}

interface Composition {
  readonly services: {
    readonly worker: {
      readonly command: readonly string[];
      readonly restart: string;
      readonly stop_signal: string;
      readonly stop_grace_period: string;
      readonly mem_limit: string;
    };
  };
}

const pod = deployYaml<Deployment>('kubernetes.yaml').spec.template;
const container = pod.spec.containers[0]!;
const service = deployYaml<Composition>('compose.yaml').services.worker;
const [pm2, ...others] = pm2Applications();

/** Each file: its command behind Node, and how many seconds it leaves between the signal to stop and SIGKILL. */
const FILES: Readonly<Record<string, { readonly command: readonly string[]; readonly stopS: number }>> = {
  'supervisor.conf': {
    command: iniValue('supervisor.conf', 'command').split(' ').slice(1),
    stopS: Number(iniValue('supervisor.conf', 'stopwaitsecs')),
  },
  'nestjs-queue@.service': {
    command: iniValue('nestjs-queue@.service', 'ExecStart').split(' ').slice(1),
    stopS: Number(iniValue('nestjs-queue@.service', 'TimeoutStopSec')),
  },
  'ecosystem.config.cjs': { command: [pm2!.script, ...pm2!.args.split(' ')], stopS: pm2!.kill_timeout / 1_000 },
  Dockerfile: {
    command: dockerList('CMD').slice(1),
    stopS: Number(/docker stop --time (\d+)/.exec(deployFile('Dockerfile'))![1]),
  },
  'compose.yaml': { command: service.command.slice(1), stopS: Number(service.stop_grace_period.replace(/s$/, '')) },
  'kubernetes.yaml': { command: container.args.slice(1), stopS: pod.spec.terminationGracePeriodSeconds },
};

/** What the worker itself does in time, in seconds: its grace, and what it allows itself beyond. */
const source = (file: string, name: string): number =>
  Number(
    new RegExp(`const ${name} = ([\\d_]+);`)
      .exec(readFileSync(join(ROOT, 'lib/cli', file), 'utf8'))![1]!
      .replaceAll('_', ''),
  );
const GRACE_S = source('commands/work.ts', 'DEFAULT_GRACE_S');
const BEYOND_S = (source('commands/work.ts', 'BEYOND_GRACE_MS') + source('open-app.ts', 'LONGEST_CLOSE_MS')) / 1_000;

/** The flags of a command line, by the command itself. */
function flagsOf(
  args: readonly string[],
): WorkerFlags & { readonly healthPort?: number; readonly healthHost?: string } {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  work.configure?.(command);
  return command.parse([...args], { from: 'user' }).opts();
}

it('every file of deploy/ is looked at here, and goes with the package', () => {
  expect(readdirSync(DEPLOY).toSorted()).toEqual(Object.keys(FILES).toSorted());
  const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { files: string[] };
  expect(files).toContain('deploy');
});

describe.each(Object.entries(FILES))('deploy/%s', (name, { command, stopS }) => {
  const [program, queueWork, ...args] = command;

  it('starts a program that is there, by a command line that it takes', () => {
    // As it is installed: the package's own bin, by its link or by its file.
    const bin = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { bin: Record<string, string> }).bin;
    const expected = [
      ...Object.keys(bin).map((one) => `node_modules/.bin/${one}`),
      ...Object.values(bin).map((path) => join('node_modules/nestjs-queue', path)),
    ];
    expect(expected).toContain(program);
    expect(queueWork).toBe(work.name);
    const flags = flagsOf(args);
    expect(workerOptions(undefined, flags)).toMatchObject({
      queues: ['high', 'default'],
      concurrency: 20,
      memory: 512,
    });
    expect(() => flagsOf([...args, '--no-such-flag'])).toThrow(/unknown option/);
  });

  it('waits longer before SIGKILL than a worker takes at the longest', () => {
    const { grace = GRACE_S } = flagsOf(args);
    expect(stopS).toBeGreaterThan(Number(grace) + BEYOND_S);
  });

  it('says why: the signal, the grace, and the exit codes of a worker', () => {
    const text = deployFile(name);
    expect(text).toMatch(/SIGTERM/);
    expect(text).toMatch(/--grace/);
    // An image says nothing of what starts it again.
    const codes = name === 'Dockerfile' ? [] : ['0', '1', '12'];
    expect(codes.filter((code) => !new RegExp(`\\b${code}[\\s#;/]+\\(`).test(text))).toEqual([]);
    expect(text).not.toMatch(/\bnpx? (run|exec|start) .*queue:work/);
  });
});

describe('what starts a worker again and how it is told to stop', () => {
  it('Supervisor: whatever it ended with, by SIGTERM to the worker alone', () => {
    expect(iniValue('supervisor.conf', 'autorestart')).toBe('true');
    expect(iniValue('supervisor.conf', 'stopsignal')).toBe('TERM');
    expect(iniValue('supervisor.conf', 'stopasgroup')).toBe('false');
  });

  it('systemd: the same, and 12 is no failure', () => {
    expect(iniValue('nestjs-queue@.service', 'Restart')).toBe('always');
    expect(iniValue('nestjs-queue@.service', 'KillSignal')).toBe('SIGTERM');
    expect(iniValue('nestjs-queue@.service', 'KillMode')).toBe('mixed');
    expect(iniValue('nestjs-queue@.service', 'SuccessExitStatus')).toBe('12');
  });

  it('PM2: the same, by SIGINT', () => {
    expect(others).toEqual([]);
    expect(pm2).toMatchObject({ exec_mode: 'fork', autorestart: true, treekill: false });
  });

  it('Docker and Compose: by SIGTERM to an init that passes it on to Node', () => {
    expect(deployFile('Dockerfile')).toMatch(/^STOPSIGNAL SIGTERM$/m);
    expect(dockerList('ENTRYPOINT')).toEqual(['tini', '--']);
    expect(dockerList('CMD')[0]).toBe('node');
    expect(service.command).toEqual(dockerList('CMD'));
    expect(service).toMatchObject({ restart: 'unless-stopped', stop_signal: 'SIGTERM' });
  });

  it('Kubernetes: whatever it ended with', () => {
    expect(pod.spec.restartPolicy).toBe('Always');
    expect(deployFile('kubernetes.yaml')).not.toMatch(/^ *preStop:/m);
  });
});

describe('what looks at a worker', () => {
  it('of Kubernetes asks the port that the worker opens, from outside, and waits as long as an answer may take', () => {
    const { healthPort, healthHost } = flagsOf(container.args.slice(3));
    expect(container.ports).toEqual([{ name: 'health', containerPort: healthPort }]);
    expect(healthHost).toBe('0.0.0.0');
    const { startupProbe, livenessProbe, readinessProbe } = container;
    expect([startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet)).toEqual([
      { path: '/live', port: 'health' },
      { path: '/live', port: 'health' },
      { path: '/ready', port: 'health' },
    ]);
    for (const { timeoutSeconds } of [livenessProbe, readinessProbe]) expect(timeoutSeconds).toBeGreaterThan(3);
    expect(pod.metadata.annotations).toMatchObject({
      'prometheus.io/port': String(healthPort),
      'prometheus.io/path': '/metrics',
    });
  });

  it('of Docker asks the port that the worker opens', () => {
    const { healthPort } = flagsOf(dockerList('CMD').slice(3));
    expect(deployFile('Dockerfile')).toContain(`fetch('http://127.0.0.1:${healthPort}/live')`);
  });

  it('leaves a worker more memory than --memory', () => {
    expect(container.resources.limits.memory).toBe('1Gi');
    expect(service.mem_limit).toBe('1g');
    expect(iniValue('nestjs-queue@.service', 'MemoryMax')).toBe('1G');
  });
});

it('the documentation names no file that is not there', () => {
  const named = readdirSync(join(ROOT, 'docs')).flatMap((name) => [
    ...readFileSync(join(ROOT, 'docs', name), 'utf8').matchAll(/(?<!test\/)\bdeploy\/([\w.@-]*\w)/g),
  ]);
  expect(named.map(([, file]) => file!).filter((file) => !existsSync(join(DEPLOY, file)))).toEqual([]);
});
