import { Script } from '../script.js';

/** KEYS: the lock. ARGV: owner, ttl. Who had it, false for nobody. */
export const lockReplace = new Script(
  'lock-replace',
  'stores',
  `
local holder = redis.call('GET', KEYS[1])
if ARGV[2] == '' then redis.call('SET', KEYS[1], ARGV[1]) else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return holder
`,
);
