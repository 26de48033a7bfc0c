import { QueueError } from '../../support/queue-error.js';
import { errorLine } from '../../support/error-text.js';
import { queueLoads } from '../../worker/supervisor/queue-loads.js';
import { Supervisor, type SupervisorNote } from '../../worker/supervisor/supervisor.js';
import type { ResolvedSupervisor } from '../../worker/supervisor/supervisor-options.js';
import { answerWithin } from '../answer-within.js';
import type { GlobalOptions, QueueCommand } from '../command.js';
import { CommandError } from '../command-error.js';
import { LiveTable } from '../live-table.js';
import type { OpenApp } from '../open-app.js';
import type { Output } from '../output.js';
import { WorkerSignals, type SignalledWorker } from '../signals.js';
import { spawnWorker } from '../spawn-worker.js';
import { isTrouble, noteJson, noteLine, STATUS_COLUMNS, statusJson } from '../supervisor-lines.js';
import { clean } from '../style.js';
import { table } from '../table.js';

const REDRAW_MS = 1_000;
const FIGURES_MS = 3_000;
const DEFAULT_ROWS = 24;

export const supervise: QueueCommand = {
  name: 'queue:supervise',
  summary: 'keep worker processes running on this machine, as many as the queues need',
  examples: ['', 'main', 'main reports --json'],
  configure(command) {
    command.argument('[names...]', "supervisors of the module's option supervisors; default: all of them");
  },
  async run({ args, options, output, open }) {
    // From here on SIGTERM is ours, also while the application boots and while it shuts down.
    const signals = new WorkerSignals();
    outliveReaders();
    const app = await Promise.race([open(), signals.stopped]);
    if (typeof app === 'string') return 0;
    const chosen = choose(app.supervisors, args[0] as readonly string[]);
    const reached = Promise.all(
      [...new Set(chosen.map(({ connection }) => connection))].map((one) => look(app, one, output)),
    );
    if (typeof (await Promise.race([reached, signals.stopped])) === 'string') return 0;

    const screen = new Screen(output, options);
    const supervisors = chosen.map((one) => supervisorOf(one, app, options, screen));
    screen.watch(supervisors);
    const ended = Promise.all(supervisors.map((one) => one.run()));
    const told = all(supervisors);
    let hurried = false;
    signals.direct({ ...told, force: () => ((hurried = true), told.force()) });
    // Timers of the package do not keep a process alive; this one stays until it is told to end.
    const alive = setInterval(() => {}, 2 ** 30);
    await Promise.race([signals.forced, ended]);
    clearInterval(alive);
    screen.end();
    return hurried ? 1 : 0;
  },
};

/** Whoever reads what is printed may go first, as `tee` does at Ctrl-C: the workers must not be left alone because of that. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.listeners('error').includes(ignore)) stream.on('error', ignore);
  }
}

function ignore(): void {}

/** @throws CommandError where there is none, or not the one that is asked for */
function choose(configured: OpenApp['supervisors'], names: readonly string[]): readonly ResolvedSupervisor[] {
  if (configured.size === 0) {
    throw new CommandError(
      'The application has no supervisors.',
      "Give QueueModule some: supervisors: { main: { queues: ['default'], maxProcesses: 4 } }",
    );
  }
  if (names.length === 0) return [...configured.values()];
  return [...new Set(names)].map((name) => {
    const found = configured.get(name);
    if (found) return found;
    throw new CommandError(`There is no supervisor [${name}].`, `There are: ${[...configured.keys()].join(', ')}.`);
  });
}

/** @throws CommandError, QueueError for what no waiting mends */
async function look({ connections }: OpenApp, name: string, output: Output): Promise<void> {
  const connection = connections.get(name);
  if (connection.inProcess || connection.driver === 'memory') {
    throw new CommandError(
      `The [${name}] connection (driver ${connection.driver}) keeps no jobs for other processes: its workers would have nothing to do.`,
      'Name another one in the supervisor, for example: connection: "database"',
    );
  }
  try {
    await answerWithin(connection.check().then(() => connections.checkStores(name)));
  } catch (error) {
    if (error instanceof QueueError && !error.transient && !(error instanceof CommandError)) throw error;
    output.remark(
      clean(`The store of [${name}] cannot be reached, and the workers will try again: ${errorLine(error)}`),
    );
  }
}

function supervisorOf(one: ResolvedSupervisor, app: OpenApp, options: GlobalOptions, screen: Screen): Supervisor {
  const { connections } = app;
  const connection = connections.get(one.connection);
  const { app: file, json, quiet, verbose } = options;
  const given: GlobalOptions = {
    ...(file !== undefined && { app: file }),
    ...(json && { json }),
    ...(quiet && { quiet }),
    ...(verbose && { verbose }),
  };
  return new Supervisor(one, {
    clock: connections.clock,
    spawn: (queues, ears) => spawnWorker(one, queues, given, ears, screen.pipe),
    loads: async (queues) =>
      queueLoads(connection, await connections.control(), queues, {
        now: connections.clock.now(),
        force: one.worker.force,
      }),
    tell: (note) => screen.note(note),
  });
}

function all(supervisors: readonly Supervisor[]): SignalledWorker {
  return {
    signal: () => supervisors.forEach((one) => one.stop()),
    force: async () => void (await Promise.all(supervisors.map((one) => one.force()))),
    pause: () => supervisors.forEach((one) => one.pause()),
    resume: () => supervisors.forEach((one) => one.resume()),
  };
}

/** A live table on a terminal, lines elsewhere. */
class Screen {
  readonly pipe: { readonly line: (text: string) => void; readonly colours: boolean } | undefined;
  readonly #live: LiveTable | undefined;
  #supervisors: readonly Supervisor[] = [];
  #timer: NodeJS.Timeout | undefined;
  #told: readonly string[] = [];

  constructor(
    private readonly output: Output,
    private readonly options: GlobalOptions,
  ) {
    if (!output.isTerminal || options.json || options.quiet) return;
    const { stdout, stderr } = process;
    this.#live = new LiveTable(stderr.isTTY ? [stdout, stderr] : [stdout], () => stdout.rows || DEFAULT_ROWS);
    this.pipe = { line: (text) => output.line(text), colours: output.paint('red', '') !== '' };
  }

  watch(supervisors: readonly Supervisor[]): void {
    this.#supervisors = supervisors;
    const { json, quiet } = this.options;
    if (quiet || !(json || this.#live)) return;
    const show = this.#live ? () => this.#draw() : () => this.#figures();
    this.#timer = setInterval(show, this.#live ? REDRAW_MS : FIGURES_MS);
  }

  note(note: SupervisorNote): void {
    const { output } = this;
    if (this.options.json) output.line(noteJson(note));
    else if (isTrouble(note)) output.remark(noteLine(note));
    else output.say(noteLine(note));
    if (this.#live && note.event !== 'stopped') this.#draw();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#live?.end();
  }

  #draw(): void {
    const rows = this.#supervisors.flatMap((one) => one.status());
    if (rows.length > 0) this.#live!.show(table(STATUS_COLUMNS, rows, this.output.columns, this.output.paint));
  }

  /** Those that have changed. */
  #figures(): void {
    const told = this.#supervisors
      .flatMap((one) => one.status())
      .map((status) => ({ status, text: JSON.stringify(status) }));
    told.forEach(({ status, text }, at) => {
      if (text !== this.#told[at]) this.output.line(statusJson(status));
    });
    this.#told = told.map(({ text }) => text);
  }
}
