import { Script } from '../script.js';
import { failurePart } from './failure-part.js';

/** KEYS: base of the failed jobs. ARGV: id, record, failedAt of each. */
export const failedKeep = new Script(
  'failed-keep',
  'stores',
  failurePart,
  `
for at = 1, #ARGV, 3 do record_failure(KEYS[1], ARGV[at], ARGV[at + 1], ARGV[at + 2]) end
return 1
`,
);
