import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
  /** Milliseconds. */
  readonly took: number;
}

/** A process of Node whose output is kept, started in a folder of its own choosing. */
export class NodeProcess {
  out = '';
  err = '';
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;

  constructor(args: readonly string[], cwd: string, env: Record<string, string> = {}) {
    const began = performance.now();
    const { NODE_OPTIONS: _jest, NO_COLOR: _no, FORCE_COLOR: _force, ...inherited } = process.env;
    this.child = spawn(process.execPath, args, {
      cwd,
      env: { ...inherited, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (code, signal) =>
        resolve({ code, signal, out: this.out, err: this.err, took: performance.now() - began }),
      );
    });
  }

  /** Sends a signal; tells how the process ended, and how long it took from then. */
  async end(signal: NodeJS.Signals): Promise<Ended> {
    const at = performance.now();
    this.child.kill(signal);
    return { ...(await this.ended), took: performance.now() - at };
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Waits until the text has been printed, on either stream. */
  async printed(text: string | RegExp, ms = 20_000): Promise<void> {
    const until = performance.now() + ms;
    const seen = (): boolean =>
      [this.out, this.err].some((all) => (typeof text === 'string' ? all.includes(text) : text.test(all)));
    while (!seen()) {
      if (performance.now() > until || this.child.exitCode !== null) {
        throw new Error(`Never printed ${String(text)}.\nstdout:\n${this.out}\nstderr:\n${this.err}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A new, empty folder, and what removes it. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'nestjs-queue-cli-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
