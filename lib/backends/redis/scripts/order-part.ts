/**
 * Where jobs wait. The ready ones of each priority are a list in the order in which they became available, so what adds to it promotes
 * first what is due by now: `promote(base, now)`. It answers true where more is due than it moves at a time; whoever adds then puts its
 * job behind those, into `:delayed` with the score now.
 *
 * A score in `:delayed` is the moment in ms, with a fraction of 1/4096 for each that came before it with the same moment: a double keeps
 * twelve bits behind the point until the year 2248. One in `:leased` is the end of the lease in ms, one more for each job in front of it in
 * the same claim, so that they come back in order. It is a whole number, since a hundred others cost 4 µs more a job.
 */
export const orderPart = `
local function ready_key(base, priority)
  return priority == 0 and base .. ':ready' or base .. ':ready:' .. priority
end

local function append(base, priority, ids)
  redis.call('RPUSH', ready_key(base, priority), unpack(ids))
  if priority ~= 0 then redis.call('ZADD', base .. ':lanes', priority, priority) end
end

local function delay(base, id, due)
  local key, score = base .. ':delayed', due
  local last = redis.call('ZREVRANGEBYSCORE', key, string.format('(%.17g', due + 1), due, 'WITHSCORES', 'LIMIT', 0, 1)
  if last[2] then score = math.min(last[2] + 1 / 4096, due + 4095 / 4096) end
  redis.call('ZADD', key, score, id)
end

local function promote_these(base, due, lost)
  local ids, at, delayed, leased, stalled = {}, {}, {}, {}, {}
  local d, l, n = 1, 1, 0
  while n < 1000 and (due[d] or lost[l]) do
    n = n + 1
    if due[d] and (not lost[l] or tonumber(due[d + 1]) <= tonumber(lost[l + 1])) then
      ids[n], at[n], delayed[#delayed + 1], d = due[d], math.floor(due[d + 1]), due[d], d + 2
    else
      ids[n], at[n], leased[#leased + 1], stalled[n] = id_of(lost[l]), math.floor(lost[l + 1]), lost[l], true
      l = l + 2
    end
  end
  local texts = redis.call('HMGET', base .. ':facts', unpack(ids))
  local fields, lanes, order = {}, {}, {}
  for i = 1, n do
    local facts = texts[i] and cmsgpack.unpack(texts[i]) or {}
    facts.availableAt = at[i]
    if stalled[i] then
      facts.attempts = (facts.attempts or 0) + 1
      facts.stalls = (facts.stalls or 0) + 1
    end
    fields[2 * i - 1], fields[2 * i] = ids[i], cmsgpack.pack(facts)
    local priority = facts.priority or 0
    local lane = lanes[priority]
    if not lane then
      lane = {}
      lanes[priority], order[#order + 1] = lane, priority
    end
    lane[#lane + 1] = ids[i]
  end
  if #delayed > 0 then redis.call('ZREM', base .. ':delayed', unpack(delayed)) end
  if #leased > 0 then redis.call('ZREM', base .. ':leased', unpack(leased)) end
  redis.call('HSET', base .. ':facts', unpack(fields))
  for _, priority in ipairs(order) do append(base, priority, lanes[priority]) end
  return due[d] ~= nil or lost[l] ~= nil or #due == 2000 or #lost == 2000
end

local function promote(base, now)
  local before = '(' .. now + 1
  local due = redis.call('ZRANGEBYSCORE', base .. ':delayed', '-inf', before, 'WITHSCORES', 'LIMIT', 0, 1000)
  local lost = redis.call('ZRANGEBYSCORE', base .. ':leased', '-inf', before, 'WITHSCORES', 'LIMIT', 0, 1000)
  if #due == 0 and #lost == 0 then return false end
  return promote_these(base, due, lost)
end
`;
