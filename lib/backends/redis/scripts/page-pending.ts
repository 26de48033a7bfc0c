import { Script } from '../script.js';
import { clockPart } from './clock-part.js';
import { jobPart } from './job-part.js';
import { leasePart } from './lease-part.js';
import { orderPart } from './order-part.js';

/**
 * KEYS: the queue. ARGV: how many, up to 1,000; then where the page begins, or nothing: priority, the id that came next, that in front of
 * it, and since when the next one could be taken. Answers the place where the next page begins, in the same four parts, '' on the last;
 * then the jobs.
 *
 * A list has no cursor of its own, and both ids may be gone by now. Where workers took them, everything in front of them is gone too; where
 * they were removed by hand, the place is found by the time, to the millisecond.
 */
export const pagePending = new Script(
  'page-pending',
  'frees',
  clockPart,
  leasePart,
  orderPart,
  jobPart,
  `
local base, limit = KEYS[1], tonumber(ARGV[1])
make_due(base, now_ms())

local function available_at(id)
  local text = redis.call('HGET', base .. ':facts', id)
  local at = text and cmsgpack.unpack(text).availableAt
  return at or tonumber(string.sub(id, 1, 8) .. string.sub(id, 10, 13), 16) or 0
end

local function place_in(key)
  local next_at = redis.call('LPOS', key, ARGV[3])
  if next_at then return next_at end
  local front_at = redis.call('LPOS', key, ARGV[4])
  if front_at then return front_at + 1 end
  local low, high, at = 0, redis.call('LLEN', key), tonumber(ARGV[5])
  while low < high do
    local middle = math.floor((low + high) / 2)
    if available_at(redis.call('LINDEX', key, middle)) < at then low = middle + 1 else high = middle end
  end
  return low
end

local priorities, has_plain = {}, false
for _, text in ipairs(redis.call('ZREVRANGE', base .. ':lanes', 0, -1)) do
  local priority = tonumber(text)
  if priority < 0 and not has_plain then
    priorities[#priorities + 1], has_plain = 0, true
  end
  priorities[#priorities + 1] = priority
end
if not has_plain then priorities[#priorities + 1] = 0 end

local ids, of, start = {}, {}, ARGV[2] and tonumber(ARGV[2])
for _, priority in ipairs(priorities) do
  if not start or priority <= start then
    local key = ready_key(base, priority)
    local from = priority == start and place_in(key) or 0
    for _, id in ipairs(redis.call('LRANGE', key, from, from + limit - #ids)) do
      ids[#ids + 1], of[#of + 1] = id, priority
    end
    if #ids > limit then break end
  end
end

local answer = { '', '', '', '' }
if #ids > limit then
  local last = limit + 1
  answer = { of[last], ids[last], ids[limit], available_at(ids[last]) }
  for i = #ids, last, -1 do ids[i] = nil end
end
return tell_jobs(base, ids, {}, answer)
`,
);
