import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { buildFixture } from '../support/build-fixture.js';
import { findServer } from '../support/servers.mjs';
import { DEPLOY } from './deploy-files.js';

/** What every Supervisor has, on a socket of its own. */
const MAIN = `
[supervisord]
nodaemon=true
logfile=%(here)s/supervisord.log
pidfile=%(here)s/supervisord.pid
[unix_http_server]
file=%(here)s/control.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%(here)s/control.sock
[include]
files=queue-worker.conf
`;

/** A real supervisord that runs deploy/supervisor.conf for an application in a folder. */
export class Supervisord {
  readonly ended: Promise<number | null>;

  private constructor(
    private readonly folder: string,
    private readonly process: ChildProcess,
  ) {
    this.ended = new Promise((resolve) => process.once('exit', resolve));
  }

  /**
   * @param settings the environment that workers inherit
   * @param also what is replaced in the file, beside the places; each must be in it
   */
  static async start(
    folder: string,
    settings: Readonly<Record<string, string>>,
    also: readonly (readonly [string, string])[] = [],
  ): Promise<Supervisord> {
    const fixture = await buildFixture('processes', 'test/fixtures/processes');
    // The application as its folder looks when it is installed.
    mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
    symlinkSync(fixture.bin, join(folder, 'node_modules/.bin/nestjs-queue'));
    const manifest = { 'nestjs-queue': { app: join(fixture.folder, 'app.module.js') } };
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));

    const places = [
      ['directory=/srv/app\n', `directory=${folder}\n`],
      ['user=app\n', ''],
      ['/var/log/supervisor/', `${folder}/`],
    ] as const;
    let text = readFileSync(join(DEPLOY, 'supervisor.conf'), 'utf8');
    for (const [from, to] of [...places, ...also]) {
      if (!text.includes(from)) throw new Error(`deploy/supervisor.conf has no ${from}`);
      text = text.replace(from, to);
    }
    writeFileSync(join(folder, 'queue-worker.conf'), text);
    writeFileSync(join(folder, 'main.conf'), MAIN);

    const { NODE_OPTIONS: _jest, LEDGER_NAME: _name, ...env } = process.env;
    const PATH = `${dirname(process.execPath)}${delimiter}${env['PATH']}`;
    const started = new Supervisord(
      folder,
      spawn(findServer('supervisor')!.program, ['-c', join(folder, 'main.conf')], {
        cwd: folder,
        env: { ...env, ...settings, PATH },
        stdio: 'ignore',
      }),
    );
    await started.said(/spawned/);
    return started;
  }

  /** What `supervisorctl` answers. Its exit code says how the programs are, which the answer says too. */
  async control(...args: readonly string[]): Promise<string> {
    const asked = promisify(execFile)(findServer('supervisor')!.setupProgram!, ['-c', 'main.conf', ...args], {
      cwd: this.folder,
    });
    try {
      return (await asked).stdout;
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  }

  /** The processes of the workers, by name. */
  async workers(): Promise<ReadonlyMap<string, number>> {
    const status = await this.control('status');
    const running = [...status.matchAll(/^queue-worker:(\S+) +RUNNING +pid (\d+)/gm)];
    return new Map(running.map(([, name, pid]) => [name!, Number(pid)]));
  }

  log(): string {
    try {
      return readFileSync(join(this.folder, 'supervisord.log'), 'utf8');
    } catch {
      return '';
    }
  }

  async said(text: RegExp): Promise<void> {
    for (const end = performance.now() + 30_000; !text.test(this.log()); await sleep(50)) {
      if (performance.now() > end) throw new Error(`Supervisor never said ${text}:\n${this.log()}`);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** Ends it and what it runs, whatever the state. */
  async close(pids: readonly number[]): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    await this.ended;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
  }
}
