import { Script } from '../script.js';
import { limitPart } from './limit-part.js';

/** KEYS: base of the limits. ARGV: the limits. One hit on each of them, or on none. The answer is as it was before. */
export const limitTake = new Script(
  'limit-take',
  'stores',
  limitPart,
  `
local allowed, answer = look_at_limits(KEYS[1], 1)
if not allowed then return answer end
for at = 1, #ARGV, 3 do
  local key = KEYS[1] .. ':' .. ARGV[at]
  -- A counter that is there keeps its end.
  if redis.call('INCR', key) == 1 and ARGV[at + 2] ~= '' then redis.call('PEXPIRE', key, ARGV[at + 2]) end
end
return answer
`,
);
