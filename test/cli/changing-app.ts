import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Note } from '../fixtures/watching/note.js';
import { buildFixture, type Fixture } from '../support/build-fixture.js';
import { temporaryFolder } from './processes.js';

const PATIENCE_MS = 30_000;

export interface GroupEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process at the head of a group of its own, as a shell starts one. */
export class Group {
  out = '';
  err = '';
  readonly ended: Promise<GroupEnd>;
  private readonly leader: ChildProcess;

  constructor(args: readonly string[], cwd: string) {
    const { NODE_OPTIONS: _jest, NO_COLOR: _no, FORCE_COLOR: _force, ...env } = process.env;
    this.leader = spawn(process.execPath, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.leader.stdout!.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    this.leader.stderr!.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    this.ended = new Promise((resolve, reject) => {
      this.leader.once('error', reject);
      // Not when its outputs are closed: a process that it has left behind would keep them open.
      this.leader.once('exit', (code, signal) => resolve({ code, signal }));
    });
  }

  get running(): boolean {
    return this.leader.exitCode === null && this.leader.signalCode === null;
  }

  write(line: string): void {
    this.leader.stdin!.write(`${line}\n`);
  }

  /** To the leader alone, as a process manager does. */
  signal(name: NodeJS.Signals): void {
    this.leader.kill(name);
  }

  /** To every process of the group at once, as a terminal does on Ctrl-C. */
  signalAll(name: NodeJS.Signals): void {
    process.kill(-this.leader.pid!, name);
  }

  /** How many times the text was written to stderr. */
  said(text: string): number {
    return this.err.split(text).length - 1;
  }

  /** Leaves nothing of the group behind. */
  async close(): Promise<void> {
    try {
      this.signalAll('SIGKILL');
    } catch {
      // There is no process left in it.
    }
    await this.ended;
  }
}

/** A built application whose code a test may change, with a store and a ledger in a folder of its own. */
export class ChangingApp {
  private readonly groups: Group[] = [];
  private readonly cwd = temporaryFolder();
  private producer: Group | undefined;

  private constructor(
    /** Where the built application lies. */
    readonly folder: string,
    private readonly fixture: Fixture,
  ) {}

  static async open(): Promise<ChangingApp> {
    const fixture = await buildFixture('watching', 'test/fixtures/watching');
    const folder = join(dirname(fixture.folder), `watching-${randomUUID()}`);
    cpSync(fixture.folder, folder, { recursive: true });
    return new ChangingApp(folder, fixture);
  }

  /** A place beside it, for a build to be kept. */
  get aside(): string {
    return `${this.folder}-aside`;
  }

  /** The binary, with this application. */
  run(...args: string[]): Group {
    return this.start(this.fixture.bin, [...args, `--app=${join(this.folder, 'app.module.js')}`]);
  }

  /** A file of the application. */
  runOwn(entry: string, ...args: string[]): Group {
    return this.start(join(this.folder, entry), args);
  }

  /** Queues a job: `Walk`, its name in the ledger, and how long it takes. */
  async dispatch(kind: 'Walk' | 'PatientWalk' | 'Around' | 'Spin' | 'Leave', name: string, ms = 0): Promise<void> {
    const producer = (this.producer ??= this.start(join(this.fixture.folder, 'dispatch.js'), []));
    await this.until('a producer', () => /^ready$/m.test(producer.out));
    producer.write(JSON.stringify([kind, name, ms]));
    await this.until(`${name} queued`, () => producer.out.split('\n').includes(name));
  }

  /** The code changes, as by a build. */
  write(version: number): void {
    this.put('code.js', `export const version = ${version};\n`);
  }

  put(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  notes(what?: Note['what'], job?: string): readonly Note[] {
    let text: string;
    try {
      text = readFileSync(join(this.cwd.path, 'ledger'), 'utf8');
    } catch {
      return [];
    }
    const all = text.split('\n').slice(0, -1);
    return all
      .map((line) => JSON.parse(line) as Note)
      .filter((note) => (what === undefined || note.what === what) && (job === undefined || note.job === job));
  }

  /** Processes that have started with this code, but for the producer. */
  boots(version: number): number {
    return (
      this.notes('boot').filter((note) => note.version === version).length - (version === 1 && this.producer ? 1 : 0)
    );
  }

  async until(what: string, holds: () => boolean, ms = PATIENCE_MS): Promise<void> {
    const end = performance.now() + ms;
    while (!holds()) {
      if (performance.now() > end) {
        const told = this.groups.map((group) => `${group.out}${group.err}`).join('\n');
        const notes = this.notes().map((note) => JSON.stringify(note));
        throw new Error(`Not within ${ms} ms: ${what}.\n${notes.join('\n')}\n${told}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Waits for the first such note. */
  async noted(what: Note['what'], job?: string): Promise<Note> {
    await this.until(`${what} of ${job}`, () => this.notes(what, job).length > 0);
    return this.notes(what, job)[0]!;
  }

  async close(): Promise<void> {
    await Promise.all(this.groups.map((group) => group.close()));
    for (const folder of [this.folder, this.aside]) rmSync(folder, { recursive: true, force: true });
    this.cwd.remove();
  }

  private start(file: string, args: readonly string[]): Group {
    const group = new Group([file, ...args], this.cwd.path);
    this.groups.push(group);
    return group;
  }
}
