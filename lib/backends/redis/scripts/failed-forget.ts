import { Script } from '../script.js';
import { failurePart } from './failure-part.js';

/** KEYS: base of the failed jobs. ARGV: id of each, and the moment of its record or '' for any. How many of them there were. */
export const failedForget = new Script(
  'failed-forget',
  'frees',
  failurePart,
  `
local gone = 0
for at = 1, #ARGV, 2 do gone = gone + forget_failure(KEYS[1], ARGV[at], ARGV[at + 1]) end
return gone
`,
);
