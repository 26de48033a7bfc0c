/**
 * `settle_one(kind, base, now, at, place)` does one settlement that is no plain ack, behind the same fence, and answers where the next one
 * begins in the arguments:
 *
 *     x  reservation, effects                                        ends it
 *     r  reservation, delay in ms, counts ('1'), memo, effects       releases it; of the memo '=' and its text, or '' to keep it
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
  put(base, now, id, wait, facts, true)
end

local function settle_one(kind, base, now, at, place)
  local lease = ARGV[at]
  local effects = kind == 'x' and at + 1 or at + 4
  local behind = effects + 1 + ARGV[effects]
  if redis.call('ZREM', base .. ':leased', lease) == 0 then
    refuse(base, lease, place)
    return behind
  end
  held = {}
  if kind == 'x' then drop(base, { id_of(lease) })
  else release(base, now, id_of(lease), tonumber(ARGV[at + 1]), ARGV[at + 2] == '1', ARGV[at + 3]) end
  apply_effects(base, now, token_of(lease), effects + 1, behind, place)
  return behind
end
`;
