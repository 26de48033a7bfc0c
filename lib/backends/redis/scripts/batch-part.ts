/**
 * `batch_now()` is the server's time in epoch ms. `batch_answer(base, flags)` is what every verb on a batch answers with: flags, facts and
 * the ids of failed members. `batch_join(base, first)` adds the members that stand in ARGV from `first` on: those it has count once.
 */
export const batchPart = `
local function batch_now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function batch_answer(base, flags)
  return { flags, redis.call('HGETALL', base .. ':facts'), redis.call('ZRANGE', base .. ':failed', 0, -1) }
end

local function batch_join(base, first)
  local added = 0
  for at = first, #ARGV do added = added + redis.call('HSETNX', base .. ':members', ARGV[at], 'w') end
  redis.call('HINCRBY', base .. ':facts', 'total', added)
  redis.call('HINCRBY', base .. ':facts', 'pending', added)
end
`;
