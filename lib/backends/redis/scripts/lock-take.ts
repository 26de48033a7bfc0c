import { Script } from '../script.js';
import { lockPart } from './lock-part.js';

/** KEYS: the lock. ARGV: owner, ttl. 1 when the owner has it now. */
export const lockTake = new Script(
  'lock-take',
  'stores',
  lockPart,
  `
if take_lock(KEYS[1], ARGV[1], ARGV[2]) then return 0 end
return 1
`,
);
