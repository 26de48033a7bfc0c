import { Script } from '../script.js';
import { clockPart } from './clock-part.js';

/** KEYS: base of the names. ARGV: names. Adds them, and notes when. */
export const namesWrite = new Script(
  'names-write',
  'stores',
  clockPart,
  `
local now = now_ms()
for i = 1, #ARGV do
  redis.call('SADD', KEYS[1], ARGV[i])
  redis.call('ZADD', KEYS[1] .. ':written', now, ARGV[i])
end
return #ARGV
`,
);
