import type { Line } from '../../fixtures/processes/ledger.js';
import type { SupervisorOptions } from '../../../lib/worker/supervisor/supervisor-options.js';
import { Site, type Child, type SiteStore } from './site.js';

/** What a supervisor prints with --json. */
export interface Said {
  readonly event: string;
  readonly pid?: number;
  readonly code?: number | null;
  readonly signal?: string | null;
  readonly reason?: string;
  readonly waitMs?: number;
  readonly cause?: string;
  readonly from?: number;
  readonly to?: number;
  readonly expected?: boolean;
}

/** A site with a supervisor. */
export class Supervised {
  readonly #started: Set<number>;

  private constructor(
    readonly site: Site,
    readonly child: Child,
  ) {
    this.#started = new Set();
  }

  static async start(
    options: SupervisorOptions,
    { store, group = false, env = {} }: { store?: SiteStore; group?: boolean; env?: Record<string, string> } = {},
  ): Promise<Supervised> {
    const site = await Site.open({ SUPERVISORS: JSON.stringify({ main: options }), ...env }, store);
    const child = site.start('commands', 'main', ['queue:supervise', '--json'], { out: true, group });
    return new Supervised(site, child);
  }

  said(event?: string): readonly Said[] {
    const lines = this.child.out.split('\n').slice(0, -1);
    const all = lines.map((line) => JSON.parse(line) as Said);
    for (const { event: what, pid } of all) if (what === 'started' && pid !== undefined) this.#started.add(pid);
    return event === undefined ? all : all.filter((one) => one.event === event);
  }

  /** Waits until it has said so. */
  async until(expected: string, shown: (said: readonly Said[]) => boolean): Promise<void> {
    await this.site.until(expected, () => {
      if (shown(this.said())) return true;
      if (!this.child.running) throw new Error(`The supervisor ended:\n${this.child.out}\n${this.child.err}`);
      return false;
    });
  }

  /** The processes of workers that are at work, by the ledger. */
  async workers(count: number): Promise<readonly number[]> {
    let found: readonly number[] = [];
    await this.site.until(`${count} workers at work`, (lines) => {
      if (!this.child.running) throw new Error(`The supervisor ended:\n${this.child.out}\n${this.child.err}`);
      found = working(lines);
      return found.length >= count;
    });
    return found;
  }

  /** Every worker that was ever started has gone. */
  async gone(): Promise<void> {
    this.said();
    await this.site.until('the end of all workers', () => [...this.#started].every((pid) => !lives(pid)));
  }

  async close(): Promise<void> {
    this.said();
    if (this.child.running) this.child.kill('SIGKILL');
    for (const pid of this.#started) if (lives(pid)) process.kill(pid, 'SIGKILL');
    await this.site.close();
  }
}

function working(lines: readonly Line[]): readonly number[] {
  const pids = lines.filter(({ what }) => what === 'worker-starting').map(({ pid }) => pid);
  return pids.filter(lives);
}

export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
