import { Script } from '../script.js';
import { failurePart } from './failure-part.js';

/** KEYS: base of the failed jobs. ARGV: ids. How many of them there were. */
export const failedForget = new Script(
  'failed-forget',
  'frees',
  failurePart,
  `
local gone = 0
for _, id in ipairs(ARGV) do gone = gone + forget_failure(KEYS[1], id) end
return gone
`,
);
