import { Output, type OutputOptions } from '../../lib/cli/output.js';

/** Keeps what a command prints. */
export class Recorder {
  out = '';
  err = '';

  constructor(private readonly terminal: { isTTY?: boolean; columns?: number } = {}) {}

  output(options: OutputOptions = {}): Output {
    return new Output(
      options,
      { ...this.terminal, write: (text) => (this.out += text) },
      { ...this.terminal, write: (text) => (this.err += text) },
      {},
    );
  }
}
