import { Script } from '../script.js';
import { cancelPart } from './cancel-part.js';
import { clockPart } from './clock-part.js';
import { leasePart } from './lease-part.js';

/**
 * Takes away all jobs that a queue has at this moment. KEYS: the queue. ARGV: the name of this clearing. Answers how many there were in all
 * calls of this name; -1 when it has to be called again, as more than 1,000 are reserved, whose holders have to be told.
 *
 * What has to be seen to afterwards are locks, and those are in the facts: they are put aside under `:trash:<name>`, and the name is kept in
 * the hash `:trash` until that is done. The same call again, where an answer was lost, takes nothing more.
 */
export const clearQueue = new Script(
  'clear-queue',
  'frees',
  clockPart,
  leasePart,
  cancelPart,
  `
local base, name, now = KEYS[1], ARGV[1], now_ms()
local names, facts = base .. ':trash', base .. ':facts'
local before = redis.call('HGET', names, name)
if before and tonumber(before) >= 0 then return tonumber(before) end
local count = before and -1 - before or 0

local reserved = redis.call('ZRANGE', base .. ':leased', 0, 999, 'WITHSCORES')
if redis.call('ZCARD', base .. ':leased') > 1000 then
  for at = 1, #reserved, 2 do
    local id = id_of(reserved[at])
    local text = redis.call('HGET', facts, id)
    redis.call('ZREM', base .. ':leased', reserved[at])
    count = count + redis.call('HDEL', base .. ':jobs', id)
    if text then
      redis.call('HSET', names .. ':' .. name .. ':0', id, text)
      redis.call('HDEL', facts, id)
    end
    tell_holder(base, token_of(reserved[at]), reserved[at + 1], now)
  end
  -- Below 0: so many are gone, and it goes on.
  redis.call('HSET', names, name, -1 - count)
  return -1
end

count = count + redis.call('HLEN', base .. ':jobs')
for _, priority in ipairs(redis.call('ZRANGE', base .. ':lanes', 0, -1)) do
  redis.call('UNLINK', base .. ':ready:' .. priority)
end
redis.call('UNLINK', base .. ':jobs', base .. ':ready', base .. ':lanes', base .. ':delayed', base .. ':leased',
  base .. ':bell', base .. ':broken')
if redis.call('EXISTS', facts) == 1 then redis.call('RENAME', facts, names .. ':' .. name .. ':1') end
redis.call('HSET', names, name, count)
for at = 1, #reserved, 2 do tell_holder(base, token_of(reserved[at]), reserved[at + 1], now) end
return count
`,
);
