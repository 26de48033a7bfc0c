/**
 * Settlements behind their fence: the token that `:held` has for the job. What is refused is noted in `refused` as its place in the call
 * and a letter: `c` it was removed by hand, `g` gone, `f` free, `h` held under another token. A token that was taken back by hand is a
 * key `:gone:<token>`.
 *
 * `ack_many(base, at, n, place)` ends n reservations, id and token of each in the arguments from `at` on.
 */
export const ackPart = `
local refused = {}

local function refuse(base, id, token, place)
  local why = 'h'
  if redis.call('EXISTS', base .. ':gone:' .. token) == 1 then why = 'c'
  elseif redis.call('HEXISTS', base .. ':jobs', id) == 0 then why = 'g'
  elseif redis.call('HEXISTS', base .. ':held', id) == 0 then why = 'f' end
  refused[#refused + 1] = place
  refused[#refused + 1] = why
end

local function drop(base, ids)
  redis.call('ZREM', base .. ':leased', unpack(ids))
  redis.call('HDEL', base .. ':held', unpack(ids))
  redis.call('HDEL', base .. ':jobs', unpack(ids))
  if redis.call('EXISTS', base .. ':facts') == 1 then redis.call('HDEL', base .. ':facts', unpack(ids)) end
end

local function ack_many(base, at, n, place)
  local ids, mine, seen = {}, {}, {}
  for i = 1, n do ids[i] = ARGV[at + 2 * i - 2] end
  local held = redis.call('HMGET', base .. ':held', unpack(ids))
  for i = 1, n do
    local id, token = ids[i], ARGV[at + 2 * i - 1]
    if held[i] == token and not seen[id] then
      mine[#mine + 1], seen[id] = id, true
    else
      refuse(base, id, token, place + i - 1)
    end
  end
  if #mine > 0 then drop(base, mine) end
end
`;
