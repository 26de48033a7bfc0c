/**
 * `settle_one(kind, base, now, at, place)` does one settlement that is no plain ack, behind the same fence, and answers where the next one
 * begins in the arguments:
 *
 *     x  id, token, effects                                          ends it
 *     r  id, token, delay in ms, counts ('1'), memo, effects         releases it; of the memo '=' and its text, or '' to keep it
 *
 * Effects are the number of their arguments, and those.
 */
export const settlePart = `
local function release(base, now, id, wait, counts, memo)
  local facts = facts_of(base, id)
  if counts then facts.attempts = (facts.attempts or 0) + 1 end
  if memo ~= '' then
    facts.memo = string.sub(memo, 2)
    if facts.memo == '' then facts.memo = nil end
  end
  redis.call('ZREM', base .. ':leased', id)
  redis.call('HDEL', base .. ':held', id)
  put(base, now, id, wait, facts, true)
end

local function settle_one(kind, base, now, at, place)
  local id, token = ARGV[at], ARGV[at + 1]
  local effects = kind == 'x' and at + 2 or at + 5
  local behind = effects + 1 + ARGV[effects]
  if redis.call('HGET', base .. ':held', id) ~= token then
    refuse(base, id, token, place)
    return behind
  end
  if kind == 'x' then drop(base, { id })
  else release(base, now, id, tonumber(ARGV[at + 2]), ARGV[at + 3] == '1', ARGV[at + 4]) end
  apply_effects(base, now, token, effects + 1, behind)
  return behind
end
`;
