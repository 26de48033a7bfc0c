/**
 * `claim(base, number, now)` takes jobs of a queue until `wanted` is 0 and adds them to `taken`, in groups of: number of the queue's
 * key, priority, ids, bodies, and a flat list of what is special about some (place in the group from 0, attempts, stalls, memo). The
 * tokens are made of the call's nonce and the place in the whole answer from 1.
 *
 * `due_in(base, now)`: in how many ms the clock alone makes the next job ready; nil where it makes none.
 *
 * It ends after 1,000 groups, since only so many fit on Lua's stack at once; the rest is left for the next claim.
 *
 * An id whose body is gone goes to `:broken` and is noted in `broken`.
 */
export const claimPart = `
local wanted, lease_end, nonce, served, all_plain = 0, 0, '', 0, true
local taken, broken, MOST_BROKEN, MOST_TAKEN = {}, {}, 4000, 5000

local function whole(base, number, ids, bodies)
  local fine, texts = {}, {}
  for i = 1, #ids do
    if bodies[i] then
      fine[#fine + 1], texts[#texts + 1] = ids[i], bodies[i]
    else
      redis.call('RPUSH', base .. ':broken', ids[i])
      redis.call('HDEL', base .. ':facts', ids[i])
      broken[#broken + 1], broken[#broken + 2] = number, ids[i]
    end
  end
  return fine, texts
end

local function special_ones(base, ids)
  local special = {}
  local texts = redis.call('HMGET', base .. ':facts', unpack(ids))
  for i = 1, #ids do
    if texts[i] then
      local facts = cmsgpack.unpack(texts[i])
      if facts.attempts or facts.stalls or facts.memo then
        local n = #special
        special[n + 1], special[n + 2] = i - 1, facts.attempts or 0
        special[n + 3], special[n + 4] = facts.stalls or 0, facts.memo or ''
      end
    end
  end
  return special
end

local function take_from(base, number, priority, most)
  local ids = redis.call('LPOP', ready_key(base, priority), most)
  if not ids then return true end
  local drained = #ids < most
  local bodies = redis.call('HMGET', base .. ':jobs', unpack(ids))
  for i = 1, #ids do
    if not bodies[i] then
      ids, bodies = whole(base, number, ids, bodies)
      break
    end
  end
  local n = #ids
  if n == 0 then return drained end
  local leases = {}
  for i = 1, n do
    local place = served + i
    leases[2 * i - 1], leases[2 * i] = lease_end + (place - 1) % 1024, ids[i] .. nonce .. 10000 + place
  end
  redis.call('ZADD', base .. ':leased', unpack(leases))
  wanted, served = wanted - n, served + n
  local k = #taken
  taken[k + 1], taken[k + 2], taken[k + 3], taken[k + 4] = number, priority, ids, bodies
  taken[k + 5] = all_plain and {} or special_ones(base, ids)
  if k + 5 >= MOST_TAKEN then wanted = 0 end
  return drained
end

local function drain(base, number, priority)
  while wanted > 0 do
    if take_from(base, number, priority, math.min(wanted, 1000)) or #broken > MOST_BROKEN then return end
  end
end

local function ring_for_the_rest(base, now)
  if redis.call('EXISTS', base .. ':ready', base .. ':lanes') > 0 then return ring(base) end
  local soon = redis.call('ZRANGE', base .. ':delayed', 0, 0, 'WITHSCORES')
  if soon[2] and tonumber(soon[2]) < now + 1000 then ring(base) end
end

local function claim(base, number, now)
  promote(base, now)
  all_plain = redis.call('EXISTS', base .. ':facts', base .. ':lanes') == 0
  local plain = true
  while wanted > 0 and #broken <= MOST_BROKEN do
    local lane = not all_plain and redis.call('ZREVRANGE', base .. ':lanes', 0, 0)[1]
    lane = lane and tonumber(lane)
    if plain and (not lane or lane < 0) then
      drain(base, number, 0)
      plain = false
    elseif lane then
      drain(base, number, lane)
      if redis.call('EXISTS', ready_key(base, lane)) == 0 then redis.call('ZREM', base .. ':lanes', lane) end
    else
      break
    end
  end
  if wanted == 0 then ring_for_the_rest(base, now) else redis.call('DEL', base .. ':bell') end
end

local function due_in(base, now)
  local soonest
  for _, part in ipairs({ ':delayed', ':leased' }) do
    local first = redis.call('ZRANGE', base .. part, 0, 0, 'WITHSCORES')[2]
    if first then
      local wait = math.max(0, math.floor(first) - now)
      if not soonest or wait < soonest then soonest = wait end
    end
  end
  return soonest
end
`;
