import { Script } from '../script.js';
import { cancelPart } from './cancel-part.js';
import { clockPart } from './clock-part.js';
import { factsPart } from './facts-part.js';
import { leasePart } from './lease-part.js';
import { orderPart } from './order-part.js';
import { unlockPart } from './unlock-part.js';

/**
 * KEYS: the queue, and the job's lock where it is to be given back here. ARGV: id. 1 when it was there. A ready one is looked for in its
 * list: about 10 ms in a million.
 */
export const jobRemove = new Script(
  'job-remove',
  'frees',
  clockPart,
  factsPart,
  leasePart,
  orderPart,
  unlockPart,
  cancelPart,
  `
local base, id, now = KEYS[1], ARGV[1], now_ms()
local facts = facts_of(base, id)
local lease, ends = lease_of(base, id)
if redis.call('HDEL', base .. ':jobs', id) == 0 then return 0 end
redis.call('HDEL', base .. ':facts', id)
if lease then
  redis.call('ZREM', base .. ':leased', lease)
elseif redis.call('ZREM', base .. ':delayed', id) == 0 then
  local priority = facts.priority or 0
  local key = ready_key(base, priority)
  redis.call('LREM', key, 1, id)
  if priority ~= 0 and redis.call('EXISTS', key) == 0 then redis.call('ZREM', base .. ':lanes', priority) end
end
if lease then tell_holder(base, token_of(lease), ends, now) end
if KEYS[2] and facts.lockOwner then unlock(KEYS[2], facts.lockOwner) end
return 1
`,
);
