/**
 * Plain jobs of one queue that has nothing due: nearly all pushes are like this, and for them the functions of the others need not be
 * made. What it does not take is left as it was, for what stands behind it.
 *
 * A key that is named several times counts as often, so one EXISTS tells three things.
 */
export const leanPushPart = `
do
  local call, n = redis.call, ARGV[1] == 'p' and tonumber(ARGV[3])
  if n and #ARGV == 3 + 2 * n then
    local base = KEYS[1]
    local bell, leased, delayed, jobs = base .. ':bell', base .. ':leased', base .. ':delayed', base .. ':jobs'
    local there, clear = call('EXISTS', bell, bell, bell, bell, leased, leased, delayed), true
    if there % 4 > 0 then
      local t = call('TIME')
      local before = '(' .. t[1] * 1000 + math.floor(t[2] / 1000) + 1
      if there % 4 >= 2 then clear = #call('ZRANGEBYSCORE', leased, '-inf', before, 'LIMIT', 0, 1) == 0 end
      if there % 2 == 1 then clear = clear and #call('ZRANGEBYSCORE', delayed, '-inf', before, 'LIMIT', 0, 1) == 0 end
    end
    if clear and n == 1 then
      if call('HSETNX', jobs, ARGV[4], ARGV[5]) == 0 then return { '1' } end
      call('RPUSH', base .. ':ready', ARGV[4])
      if there < 4 then call('RPUSH', bell, '1') end
      return 0
    end
    local ids, seen = {}, {}
    for i = 1, clear and n or 0 do
      local id = ARGV[2 + 2 * i]
      if seen[id] then clear = false end
      ids[i], seen[id] = id, true
    end
    if clear then
      local found = call('HMGET', jobs, unpack(ids))
      for i = 1, n do
        if found[i] then clear = false break end
      end
    end
    if clear then
      call('HSET', jobs, unpack(ARGV, 4))
      call('RPUSH', base .. ':ready', unpack(ids))
      if there < 4 then call('RPUSH', bell, '1') end
      return 0
    end
  end
end
`;
