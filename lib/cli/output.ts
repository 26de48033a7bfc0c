import { errorText } from '../support/error-text.js';
import { withoutSecrets } from '../support/without-secrets.js';
import { describeError } from './command-error.js';
import { clean, cleanJson, mayColour, painted, plain, type Paint } from './style.js';
import { table, type Column } from './table.js';

/** The part of a stream that is written to. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface OutputOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** What a terminal is taken to be wide where it does not say. */
const DEFAULT_COLUMNS = 80;

/** Where a command prints: results on stdout, errors on stderr. */
export class Output {
  readonly paint: Paint;
  readonly isTerminal: boolean;
  private readonly paintError: Paint;
  /** What `passing()` has on the terminal's last line. */
  private shown = '';

  constructor(
    readonly options: OutputOptions = {},
    private readonly stdout: TextStream = process.stdout,
    private readonly stderr: TextStream = process.stderr,
    env: NodeJS.ProcessEnv = process.env,
  ) {
    this.isTerminal = stdout.isTTY === true;
    this.paint = mayColour(this.isTerminal, env) ? painted : plain;
    this.paintError = mayColour(stderr.isTTY === true, env) ? painted : plain;
  }

  /** Columns of the terminal; 80 where there is none. */
  get columns(): number {
    return this.stdout.columns || DEFAULT_COLUMNS;
  }

  line(text: string): void {
    this.passing('');
    this.stdout.write(`${text}\n`);
  }

  /** Shows a text on the last line, in place of the one before it, until something else is printed or it is empty. Only on a terminal. */
  passing(text: string): void {
    if (text === this.shown || !this.showsProgress) return;
    this.stderr.write(`\r\u001b[K${text}`);
    this.shown = text;
  }

  /** Somebody is watching, and has not asked for silence. */
  get showsProgress(): boolean {
    const { json, quiet } = this.options;
    return this.isTerminal && this.stderr.isTTY === true && !json && !quiet;
  }

  /** One value as JSON: on one line when piped, indented for a reader. */
  json(value: unknown): void {
    this.line(cleanJson(JSON.stringify(value, undefined, this.isTerminal ? 2 : undefined)));
  }

  /** A sentence for people. `--quiet` keeps it back. */
  say(sentence: string): void {
    if (!this.options.quiet) this.line(clean(sentence));
  }

  /** A sentence for people, or the same as an object with `--json`. */
  result(sentence: string, value: object): void {
    if (this.options.json) this.json(value);
    else this.say(sentence);
  }

  /** One thing, a line for each of its properties. */
  fields(told: readonly (readonly [title: string, value: string])[]): void {
    const widest = Math.max(...told.map(([title]) => title.length));
    for (const [title, value] of told) this.line(`${this.paint('bold', title.padEnd(widest))}  ${clean(value)}`);
  }

  table<R>(columns: readonly Column<R>[], rows: readonly R[]): void {
    const width = this.isTerminal ? this.columns : Infinity;
    for (const line of table(columns, rows, width, this.paint)) this.line(line);
  }

  /** A remark that is neither result nor error, on stderr so that pipes stay clean. */
  remark(text: string): void {
    if (this.options.quiet) return;
    this.passing('');
    this.stderr.write(`${this.paintError('yellow', text)}\n`);
  }

  /** Two lines: what is wrong, and what to do. The stack only with `-v`. */
  error(error: unknown): void {
    const { message, hint } = describeError(error);
    this.passing('');
    this.stderr.write(`${this.paintError('red', 'ERROR')}  ${clean(withoutSecrets(message))}\n`);
    this.stderr.write(`       ${clean(withoutSecrets(hint))}\n`);
    if (!this.options.verbose || !(error instanceof Error)) return;
    for (const line of withoutSecrets(errorText(error)).split('\n')) this.stderr.write(`       ${clean(line)}\n`);
  }
}
