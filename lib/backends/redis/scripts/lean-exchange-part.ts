import { TOKEN_LENGTH } from './lease-part.js';
import { countMembers } from './members-part.js';

/**
 * Acks of one queue, plain ones and those of members that have succeeded, and a claim from it, where all its jobs are plain and none is due
 * by the clock alone: nearly all exchanges are like this, and half of what they cost would be the functions for the others. What it does not
 * take is left as it was, for what stands behind it; where it took the settlements and no more, `settled` is true, `strangers` has the
 * argument and the place of each whose reservation was not there, and `unfinished` the arguments of `finish_members`.
 *
 * A key that is named several times counts as often, so one EXISTS tells what there is.
 */
export const leanExchangePart = `
local settled, strangers, unfinished = false, {}, {}
do
  local call, base, wanted, at = redis.call, KEYS[1], tonumber(ARGV[1]), 5
  local fits = wanted <= 1000 and (ARGV[2] == '1' or wanted == 0 and #ARGV > 4)
  while fits and at <= #ARGV do
    fits, at = ARGV[at + 1] == '1', at + ARGV[at + 2] + (ARGV[at] == 'a' and 3 or 4)
  end
  if fits then
    local bell, leased, delayed, jobs = base .. ':bell', base .. ':leased', base .. ':delayed', base .. ':jobs'
    local there = call('EXISTS', bell, bell, bell, bell, bell, bell, delayed, delayed, delayed, base .. ':facts', base .. ':lanes')
    local clear, rung, waits = there % 3 == 0, there >= 6, there % 6 >= 3
    local now = 0
    if clear and wanted > 0 then
      local t = call('TIME')
      now = t[1] * 1000 + math.floor(t[2] / 1000)
      local before = '(' .. now + 1
      clear = #call('ZRANGEBYSCORE', leased, '-inf', before, 'LIMIT', 0, 1) == 0
      if waits then clear = clear and #call('ZRANGEBYSCORE', delayed, '-inf', before, 'LIMIT', 0, 1) == 0 end
    end
    if clear then
      local place = 0
      at = 5
      while at <= #ARGV do
        local first = ARGV[at] == 'a' and at + 3 or at + 4
        local behind, ids, slots = first + ARGV[at + 2], {}, {}
        for i = first, behind - 1 do
          local lease = ARGV[i]
          if call('ZREM', leased, lease) == 1 then
            ids[#ids + 1] = string.sub(lease, 1, -${TOKEN_LENGTH + 1})
            slots[#ids] = i
          else
            strangers[#strangers + 1], strangers[#strangers + 2] = i, place + i - first
          end
        end
        if #ids > 0 then
          call('HDEL', jobs, unpack(ids))
          if first > at + 3 then
            local batch, shift = KEYS[tonumber(ARGV[at + 3])], place - first
            ${countMembers}
            if open then unfinished[#unfinished + 1] = { batch, ids, slots, others, flags, last, shift }
            elseif flags > 1 then note(last + shift, flags) end
          end
        end
        at, place = behind, place + behind - first
      end
      settled = true
    end
    if clear and #strangers == 0 and #unfinished == 0 then
      local told = #noted > 0 and noted or 0
      if wanted == 0 then return { told, 0, -1, 0 } end
      local lease_end, ids = now + ARGV[3], call('LPOP', base .. ':ready', wanted)
      if not ids then
        if rung then call('DEL', bell) end
        local soonest = call('ZRANGE', leased, 0, 0, 'WITHSCORES')[2]
        soonest = soonest and math.floor(soonest)
        if waits then
          local due = math.floor(call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2])
          if not soonest or due < soonest then soonest = due end
        end
        return { told, lease_end, soonest and math.max(0, soonest - now) or -1, 0 }
      end
      local bodies, leases, nonce = call('HMGET', jobs, unpack(ids)), {}, ARGV[4] .. '.'
      for i = 1, #ids do
        if not bodies[i] then clear = false break end
        leases[2 * i - 1], leases[2 * i] = lease_end + i - 1, ids[i] .. nonce .. 10000 + i
      end
      if clear then
        call('ZADD', leased, unpack(leases))
        if #ids < wanted then
          if rung then call('DEL', bell) end
        elseif not rung then
          if call('EXISTS', base .. ':ready') == 1 then call('RPUSH', bell, '1')
          elseif waits and tonumber(call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]) < now + 1000 then call('RPUSH', bell, '1') end
        end
        return { told, lease_end, -1, 0, 1, 0, ids, bodies, {} }
      end
      for i = #ids, 1, -1 do call('LPUSH', base .. ':ready', ids[i]) end
    end
  end
end
`;
