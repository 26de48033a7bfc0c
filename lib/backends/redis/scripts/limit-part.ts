/**
 * `look_at_limits(base, first)` reads the windows of the limits that stand in ARGV from `first` on, three each: key, hits allowed, length
 * in ms. It answers whether all of them have a hit left, and for each the hits so far and the ms until its window ends, -2 without one.
 *
 * A window is a counter that ends with it: `base:<key>`.
 */
export const limitPart = `
local function look_at_limits(base, first)
  local answer, allowed = { 1 }, true
  for at = first, #ARGV, 3 do
    local key = base .. ':' .. ARGV[at]
    local hits = tonumber(redis.call('GET', key) or 0)
    if tonumber(ARGV[at + 1]) - hits < 1 then allowed = false end
    answer[#answer + 1] = hits
    answer[#answer + 1] = redis.call('PTTL', key)
  end
  if not allowed then answer[1] = 0 end
  return allowed, answer
end
`;
