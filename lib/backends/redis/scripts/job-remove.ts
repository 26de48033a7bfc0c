import { Script } from '../script.js';
import { cancelPart } from './cancel-part.js';
import { clockPart } from './clock-part.js';
import { factsPart } from './facts-part.js';
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
  orderPart,
  unlockPart,
  cancelPart,
  `
local base, id, now = KEYS[1], ARGV[1], now_ms()
local facts = facts_of(base, id)
local token = redis.call('HGET', base .. ':held', id)
local lease = redis.call('ZSCORE', base .. ':leased', id)
if redis.call('HDEL', base .. ':jobs', id) == 0 then return 0 end
redis.call('HDEL', base .. ':facts', id)
redis.call('HDEL', base .. ':held', id)
local timed = redis.call('ZREM', base .. ':leased', id) + redis.call('ZREM', base .. ':delayed', id)
if timed == 0 then
  local priority = facts.priority or 0
  local key = ready_key(base, priority)
  redis.call('LREM', key, 1, id)
  if priority ~= 0 and redis.call('EXISTS', key) == 0 then redis.call('ZREM', base .. ':lanes', priority) end
end
if token then tell_holder(base, token, lease, now) end
if KEYS[2] and facts.lockOwner then unlock(KEYS[2], facts.lockOwner) end
return 1
`,
);
