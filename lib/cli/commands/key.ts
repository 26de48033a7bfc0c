import { randomBytes } from 'node:crypto';
import type { QueueCommand } from '../command.js';

const KEY_BYTES = 32;

/** Needs no application: an application with an encrypted job does not boot before it has its key. */
export const key: QueueCommand = {
  name: 'queue:key',
  summary: 'print a fresh key for the option key (QUEUE_KEY): 32 random bytes in base64',
  examples: ['', '--json'],
  async run({ output }) {
    const fresh = randomBytes(KEY_BYTES).toString('base64');
    if (output.options.json) output.json({ key: fresh });
    // What was asked for: `--quiet` prints it too, and alone on its line it can be piped.
    else output.line(fresh);
  },
};
