/**
 * `end_member(base, job_id, outcome, also_ended, now)` counts the end of a batch's member. -1 when there is no such batch or member,
 * else the sum of 1 (counted), 2 (the first end of the batch), 4 (finished it), 8 (cancelled it).
 *
 *     :facts    hash: what the batch is, its counters, when each callback became due (due:then …) and was confirmed (ok:then …)
 *     :members  hash id → w (waiting), d (done), f (failed), b (stands behind a broken chain step: has ended, stays pending)
 *     :failed   zset of the failed ones by time
 *
 * `conclude_batch(base, now)` sets what follows when all have ended, or all have succeeded; true when this finished the batch.
 * `outcome` is `done` or `failed`, `also_ended` a table of ids, `now` epoch ms.
 */
export const memberPart = `
local function conclude_batch(base, now)
  local facts = base .. ':facts'
  local f = redis.call('HMGET', facts, 'sealed', 'total', 'pending', 'ended', 'cancelledAt', 'finishedAt', 'due:then')
  if f[1] ~= '1' then return false end
  local finishes = not f[6] and f[2] == f[4]
  if finishes then redis.call('HSET', facts, 'finishedAt', now, 'due:finally', now) end
  if f[3] == '0' and not f[5] and not f[7] then redis.call('HSET', facts, 'due:then', now) end
  return finishes
end

local function end_member(base, job_id, outcome, also_ended, now)
  local facts, members = base .. ':facts', base .. ':members'
  local before = redis.call('HGET', members, job_id)
  if not before then return -1 end
  local after = outcome == 'done' and 'd' or 'f'
  if before == 'd' or before == after then return 0 end
  local flags, ends = 1, before == 'w' and 1 or 0
  redis.call('HSET', members, job_id, after)
  if after == 'd' then
    redis.call('HINCRBY', facts, 'pending', -1)
    if before == 'f' then
      redis.call('HINCRBY', facts, 'failed', -1)
      redis.call('ZREM', base .. ':failed', job_id)
    end
  else
    redis.call('HINCRBY', facts, 'failed', 1)
    redis.call('ZADD', base .. ':failed', now, job_id)
    redis.call('HSETNX', facts, 'due:catch', now)
    if redis.call('HGET', facts, 'cancels') == '1' and redis.call('HSETNX', facts, 'cancelledAt', now) == 1 then
      flags = flags + 8
    end
  end
  for _, id in ipairs(also_ended) do
    if redis.call('HGET', members, id) == 'w' then
      redis.call('HSET', members, id, 'b')
      ends = ends + 1
    end
  end
  local ended = redis.call('HINCRBY', facts, 'ended', ends)
  if before == 'w' and ended == ends then flags = flags + 2 end
  if tostring(ended) == redis.call('HGET', facts, 'total') and conclude_batch(base, now) then flags = flags + 4 end
  return flags
end
`;
