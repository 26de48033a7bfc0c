/**
 * Settlements behind their fence: the reservation in `:leased`. What is refused is noted as its place in the call and a letter: `c` it was
 * removed by hand, `g` gone, `f` free, `h` held under another token. A token that was taken back by hand is a key `:gone:<token>`.
 *
 * `ack_many(base, at, n, place)` ends n reservations, which stand in the arguments from `at` on; it answers the ids of those that it
 * ended, and the numbers of their arguments.
 */
export const ackPart = `
local held = {}

local function is_held(base, id)
  local ids = held[base]
  if not ids then
    ids = {}
    -- Where very many are, it is not worth the look.
    if redis.call('ZCARD', base .. ':leased') > 10000 then return true end
    for _, lease in ipairs(redis.call('ZRANGE', base .. ':leased', 0, -1)) do ids[id_of(lease)] = true end
    held[base] = ids
  end
  return ids[id]
end

local function refuse(base, lease, place)
  local why, id = 'h', id_of(lease)
  if redis.call('EXISTS', base .. ':gone:' .. token_of(lease)) == 1 then why = 'c'
  elseif redis.call('HEXISTS', base .. ':jobs', id) == 0 then why = 'g'
  elseif not is_held(base, id) then why = 'f' end
  note(place, why)
end

local function drop(base, ids)
  redis.call('HDEL', base .. ':jobs', unpack(ids))
  if redis.call('EXISTS', base .. ':facts') == 1 then redis.call('HDEL', base .. ':facts', unpack(ids)) end
end

local function ack_many(base, at, n, place)
  local ids, slots, others = {}, {}, {}
  for i = at, at + n - 1 do
    if redis.call('ZREM', base .. ':leased', ARGV[i]) == 1 then
      ids[#ids + 1] = id_of(ARGV[i])
      slots[#ids] = i
    else
      others[#others + 1] = i
    end
  end
  if #ids > 0 then drop(base, ids) end
  for _, i in ipairs(others) do refuse(base, ARGV[i], place + i - at) end
  return ids, slots
end
`;
