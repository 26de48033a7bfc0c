import { Script } from '../script.js';
import { clockPart } from './clock-part.js';
import { jobPart } from './job-part.js';
import { leasePart } from './lease-part.js';
import { orderPart } from './order-part.js';

/**
 * Delayed or reserved jobs by their moments, and those of one moment by their ids. KEYS: the queue. ARGV: 'delayed' or 'leased', how many,
 * up to 1,000; then score and member of the job in front of the page, or nothing. Answers those two of the last job, '' on the last page;
 * then the jobs.
 */
export const pageTimed = new Script(
  'page-timed',
  'frees',
  clockPart,
  leasePart,
  orderPart,
  jobPart,
  `
local base, key, limit, from = KEYS[1], KEYS[1] .. ':' .. ARGV[1], tonumber(ARGV[2]), 0
make_due(base, now_ms())

-- As the server compares members, whatever its locale.
local function is_behind(one, other)
  for at = 1, math.min(#one, #other) do
    local a, b = string.byte(one, at), string.byte(other, at)
    if a ~= b then return a > b end
  end
  return #one > #other
end

if ARGV[3] then
  from = redis.call('ZCOUNT', key, '-inf', '(' .. ARGV[3])
  local high = from + redis.call('ZCOUNT', key, ARGV[3], ARGV[3])
  while from < high do
    local middle = math.floor((from + high) / 2)
    if is_behind(redis.call('ZRANGE', key, middle, middle)[1], ARGV[4]) then high = middle else from = middle + 1 end
  end
end
local found = redis.call('ZRANGE', key, from, from + limit, 'WITHSCORES')
local ids, moments, answer = {}, {}, { '', '' }
for at = 1, math.min(#found, 2 * limit), 2 do
  ids[#ids + 1], moments[#moments + 1] = ARGV[1] == 'leased' and id_of(found[at]) or found[at], math.floor(found[at + 1])
end
if #found > 2 * limit then answer = { found[2 * limit], found[2 * limit - 1] } end
return tell_jobs(base, ids, moments, answer)
`,
);
