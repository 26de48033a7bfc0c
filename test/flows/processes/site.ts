import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Line } from '../../fixtures/processes/ledger.js';
import type { Answer, Order, Wanted } from '../../fixtures/processes/producer.js';
import { buildFixture } from '../../support/build-fixture.js';
import { sharedStore, storeOn, type SiteKeeping, type SiteServer, type SiteStore } from './site-stores.js';

export {
  canHave,
  LEFT_OUT_OF_SWEEPS,
  SITE_STORES,
  siteServer,
  SWEPT_STORES,
  type SiteServer,
  type SiteStore,
} from './site-stores.js';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly err: string;
  /** Milliseconds since the signal that `end()` sent. */
  readonly took: number;
}

/** Another Node for the processes than the tests' own: `QUEUE_TEST_NODE=/path/to/node`. */
const NODE = process.env['QUEUE_TEST_NODE'] ?? process.execPath;
/** How long anything that must happen may take on a busy machine. */
const PATIENCE_MS = 30_000;

/** A process of Node that belongs to a site. */
export class Child {
  out = '';
  err = '';
  readonly ended: Promise<Omit<Ended, 'took'>>;
  readonly #process: ChildProcess;

  constructor(process: ChildProcess) {
    this.#process = process;
    process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    process.stderr!.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    this.ended = new Promise((resolve, reject) => {
      process.once('error', reject);
      process.once('close', (code, signal) => resolve({ code, signal, err: this.err }));
    });
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  get pid(): number {
    return this.#process.pid!;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Nobody reads what it prints any more. */
  unread(): void {
    this.#process.stdout!.destroy();
  }

  /** Sends a signal; tells how the process ended, and how long that took. */
  async end(signal: NodeJS.Signals): Promise<Ended> {
    const at = performance.now();
    this.kill(signal);
    const ended = await this.ended;
    return { ...ended, took: performance.now() - at };
  }

  /** The next message. */
  message<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#process.once('message', resolve as (message: unknown) => void);
      void this.ended.then(({ err }) => reject(new Error(`The process ended:\n${err}`)));
    });
  }

  send(message: Order): void {
    this.#process.send(message);
  }
}

/** A producer that takes orders. */
export class Producer {
  constructor(readonly child: Child) {}

  order(order: Order): Promise<Answer> {
    const answer = this.child.message<Answer>();
    this.child.send(order);
    return answer;
  }

  /** The ids of the jobs, all of which must have been taken. */
  async dispatch(...jobs: Wanted[]): Promise<readonly string[]> {
    const { ids, errors } = await this.order({ kind: 'dispatch', jobs });
    if (errors.length > 0) throw new Error(errors.join('\n'));
    return ids;
  }
}

/** A folder with a store, a ledger, and processes that share them. */
export class Site {
  readonly #children: Child[] = [];

  private constructor(
    private readonly fixture: string,
    private readonly env: Readonly<Record<string, string>>,
    readonly folder: string,
    private readonly keeping: SiteKeeping,
  ) {}

  static open(env: Readonly<Record<string, string>> = {}, store: SiteStore = 'sqlite'): Promise<Site> {
    return Site.#with(env, (folder) => sharedStore(store, folder));
  }

  /** On a server of the test's own, which it may stop. */
  static on(server: SiteServer, env: Readonly<Record<string, string>> = {}): Promise<Site> {
    return Site.#with(env, () => storeOn(server));
  }

  static async #with(
    env: Readonly<Record<string, string>>,
    keeping: (folder: string) => Promise<SiteKeeping>,
  ): Promise<Site> {
    const fixture = await buildFixture('processes', 'test/fixtures/processes');
    const folder = mkdtempSync(join(tmpdir(), 'nestjs-queue-site-'));
    try {
      return new Site(fixture.folder, env, folder, await keeping(folder));
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Starts a script of the fixture. */
  start(
    script: string,
    name: string,
    args: readonly string[] = [],
    options: { env?: object; node?: string[]; out?: boolean; group?: boolean } = {},
  ): Child {
    const { NODE_OPTIONS: _jest, NO_COLOR: _no, FORCE_COLOR: _force, ...inherited } = process.env;
    const started = new Child(
      fork(join(this.fixture, `${script}.js`), args, {
        cwd: this.folder,
        env: { ...inherited, ...this.keeping.env, ...this.env, ...options.env, LEDGER_NAME: name },
        execPath: NODE,
        execArgv: options.node ?? [],
        stdio: ['ignore', options.out ? 'pipe' : 'ignore', 'pipe', 'ipc'],
        detached: options.group === true,
      }),
    );
    this.#children.push(started);
    return started;
  }

  /** A worker that is at work. */
  async worker(name: string, ...args: string[]): Promise<Child> {
    const worker = this.start('worker', name, ['-q', ...args]);
    await this.working(name, worker);
    return worker;
  }

  /** Waits for the start of the worker of this name that was started last. */
  async working(name: string, worker: Child): Promise<void> {
    await this.until(`worker ${name} at work`, (lines) => {
      if (!worker.running) throw new Error(`Worker ${name} ended:\n${worker.err}`);
      return lines.some((line) => line.by === name && line.what === 'worker-starting');
    });
  }

  async producer(name = 'producer', env: object = {}, node: string[] = []): Promise<Producer> {
    const child = this.start('producer', name, [], { env, node });
    await child.message();
    return new Producer(child);
  }

  /** Another process has a write transaction open for so long. */
  async held(ms: number): Promise<Child> {
    const child = this.start('hold', 'holder', [join(this.folder, 'queue.sqlite'), String(ms)]);
    await child.message();
    return child;
  }

  lines(what?: string, id?: string): readonly Line[] {
    let text: string;
    try {
      text = readFileSync(join(this.folder, 'ledger'), 'utf8');
    } catch {
      return [];
    }
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line)
      .filter((line) => (what === undefined || line.what === what) && (id === undefined || line.id === id));
  }

  /** Waits until the ledger shows it. */
  async until(
    expected: string,
    shown: (lines: readonly Line[]) => boolean | Promise<boolean>,
    ms = PATIENCE_MS,
  ): Promise<readonly Line[]> {
    const end = performance.now() + ms;
    for (;;) {
      const lines = this.lines();
      if (await shown(lines)) return lines;
      if (performance.now() > end) {
        const tail = lines.slice(-30).map((line) => JSON.stringify(line));
        throw new Error(`Not within ${ms} ms: ${expected}. The ledger ends so:\n${tail.join('\n')}\n${this.#told()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The first line of this kind about this job, once it is there. */
  async seen(what: string, id: string, by?: string): Promise<Line> {
    const lines = await this.until(`${what} of ${id}`, (all) => all.some(is));
    function is(line: Line): boolean {
      return line.what === what && line.id === id && (by === undefined || line.by === by);
    }
    return lines.find(is)!;
  }

  /** Of a store with tables. */
  rows<T = Record<string, unknown>>(sql: string): Promise<readonly T[]> {
    return this.keeping.rows!<T>(sql);
  }

  /** What is left in all queues, and how many have failed. */
  left(): Promise<{ jobs: number; failed: number }> {
    return this.keeping.left();
  }

  /** Of every failed job. */
  exceptions(): Promise<readonly string[]> {
    return this.keeping.exceptions();
  }

  /** All jobs that are in the store. */
  stored(): ReturnType<SiteKeeping['stored']> {
    return this.keeping.stored();
  }

  /** Ends every process of the site, and removes its folder. */
  async close(): Promise<void> {
    for (const child of this.#children) if (child.running) child.kill('SIGKILL');
    await Promise.allSettled(this.#children.map((child) => child.ended));
    await this.keeping.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #told(): string {
    return this.#children.map((child) => child.err).join('');
  }
}
