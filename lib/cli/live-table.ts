import type { TextStream } from './output.js';

type Write = (text: string) => unknown;

/**
 * Lines at the end of a terminal that are drawn anew in their place. What anybody writes to the terminal meanwhile comes above them.
 */
export class LiveTable {
  #shown: readonly string[] = [];
  readonly #streams: readonly { readonly stream: TextStream; readonly write: Write; readonly own: boolean }[];
  #over = false;

  /**
   * @param streams of this terminal: the first is drawn on
   * @param rows of the terminal, now
   */
  constructor(
    streams: readonly [TextStream, ...TextStream[]],
    private readonly rows: () => number,
  ) {
    this.#streams = streams.map((stream) => {
      const own = Object.hasOwn(stream, 'write');
      const write = stream.write.bind(stream) as Write;
      stream.write = (...args: [string]) => this.#above(() => write(...args), String(args[0]));
      return { stream, write, own };
    });
  }

  /** Shows these lines instead of those before. They must fit the terminal's width. */
  show(lines: readonly string[]): void {
    const most = Math.max(1, this.rows() - 1);
    const fitting = lines.length <= most ? lines : lines.slice(0, most);
    if (this.#over || (fitting.length === this.#shown.length && fitting.every((line, at) => line === this.#shown[at])))
      return;
    this.#draw(this.#erasure + text(fitting));
    this.#shown = fitting;
  }

  /** Leaves the lines where they are, and the terminal as it was. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    for (const { stream, write, own } of this.#streams) {
      if (own) stream.write = write;
      else delete (stream as { write?: unknown }).write;
    }
  }

  #above(write: () => unknown, written: string): unknown {
    if (this.#shown.length === 0) return write();
    this.#draw(this.#erasure);
    const answer = write();
    // Half a line would be drawn over: it is ended.
    this.#draw((written.endsWith('\n') ? '' : '\n') + text(this.#shown));
    return answer;
  }

  #draw(what: string): void {
    this.#streams[0]!.write(what);
  }

  get #erasure(): string {
    // What was typed stands on the line below them, such as the ^C.
    return this.#shown.length > 0 ? `\r\u001b[${this.#shown.length}A\u001b[J` : '';
  }
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
