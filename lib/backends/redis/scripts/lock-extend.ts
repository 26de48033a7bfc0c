import { Script } from '../script.js';

/** KEYS: the lock. ARGV: owner, ttl. 1 when the owner has it. Takes no memory: what runs keeps its lock on a full server too. */
export const lockExtend = new Script(
  'lock-extend',
  'frees',
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
`,
);
