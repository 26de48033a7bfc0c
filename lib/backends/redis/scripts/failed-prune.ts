import { Script } from '../script.js';
import { failurePart } from './failure-part.js';

/** KEYS: base of the failed jobs. ARGV: the last moment, how many at most. The oldest go first; how many there were. */
export const failedPrune = new Script(
  'failed-prune',
  'frees',
  failurePart,
  `
local old = redis.call('ZRANGEBYSCORE', KEYS[1] .. ':order', '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, member in ipairs(old) do forget_failure(KEYS[1], string.sub(member, 18)) end
return #old
`,
);
