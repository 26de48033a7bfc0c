import { Script } from '../script.js';
import { clockPart } from './clock-part.js';

/** KEYS: base of the names. ARGV: ms, then names. Takes out those that nobody has written for so long; the others have come back. */
export const namesDrop = new Script(
  'names-drop',
  'frees',
  clockPart,
  `
local before, dropped = now_ms() - ARGV[1], 0
for i = 2, #ARGV do
  local written = redis.call('ZSCORE', KEYS[1] .. ':written', ARGV[i])
  if written and tonumber(written) < before then
    redis.call('ZREM', KEYS[1] .. ':written', ARGV[i])
    dropped = dropped + redis.call('SREM', KEYS[1], ARGV[i])
  end
end
return dropped
`,
);
