import { createInterface } from 'node:readline/promises';
import { CommandError } from './command-error.js';

/** What is asked about, in the words of its refusals. */
interface Deed {
  readonly does: string;
  readonly done: string;
}

const DELETION: Deed = { does: 'deletes jobs', done: 'deleted' };
export const CANCELLATION: Deed = { does: 'cancels a batch', done: 'cancelled' };

/**
 * Asks before something is deleted, or cancelled, in production (NODE_ENV). Elsewhere, and with `--force`, it does not ask.
 *
 * @param what the deed as a question
 * @throws CommandError when the answer is not yes, and where there is nobody to ask
 */
export async function confirm(what: string, force = false, deed: Deed = DELETION): Promise<void> {
  if (force || process.env.NODE_ENV !== 'production') return;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CommandError(
      `This ${deed.does} in production (NODE_ENV), and there is nobody to ask.`,
      'Give --force if it is meant.',
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`The application is in production. ${what} (yes/no) [no] `);
    if (!/^y(es)?$/i.test(answer.trim()))
      throw new CommandError(`Nothing was ${deed.done}.`, 'Answer yes, or give --force.');
  } finally {
    terminal.close();
  }
}
