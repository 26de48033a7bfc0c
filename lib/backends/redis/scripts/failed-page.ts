import { Script } from '../script.js';

/**
 * KEYS: base of the failed jobs. ARGV: label or '' for all, how many, and the place in front of the page: moment and number, or ''.
 * Members and their moments, oldest first. Finds the place by halving, however many failed at that moment.
 */
export const failedPage = new Script(
  'failed-page',
  'frees',
  `
local order = KEYS[1] .. ':order'
if ARGV[1] ~= '' then order = order .. ':' .. ARGV[1] end
local behind
if ARGV[3] == '' then
  behind = redis.call('ZCARD', order)
else
  behind = redis.call('ZCOUNT', order, '-inf', '(' .. ARGV[3])
  local high, number = behind + redis.call('ZCOUNT', order, ARGV[3], ARGV[3]), tonumber(ARGV[4])
  while behind < high do
    local middle = math.floor((behind + high) / 2)
    local member = redis.call('ZRANGE', order, middle, middle)[1]
    if tonumber(string.sub(member, 1, 16)) < number then behind = middle + 1 else high = middle end
  end
end
if behind == 0 then return {} end
return redis.call('ZRANGE', order, math.max(0, behind - ARGV[2]), behind - 1, 'WITHSCORES')
`,
);
