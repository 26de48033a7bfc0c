import { Script } from '../script.js';
import { clockPart } from './clock-part.js';

/**
 * KEYS: queues. ARGV: how many. For each: how many are ready or due, delayed, reserved; then since when the first of each list could be taken, as id and
 * moment in ms, the moment '' where it is in the id; id '' for what is due by the clock and is not in a list yet. Writes nothing.
 */
export const sizeScript = new Script(
  'size',
  'frees',
  clockPart,
  `
local now = now_ms()
local before, answer = '(' .. now + 1, {}
for number = 1, tonumber(ARGV[1]) do
  local base = KEYS[number]
  local pending, firsts = 0, {}
  local function look(key)
    local n = redis.call('LLEN', key)
    if n == 0 then return end
    pending = pending + n
    local id = redis.call('LINDEX', key, 0)
    local text = redis.call('HGET', base .. ':facts', id)
    local at = text and cmsgpack.unpack(text).availableAt
    firsts[#firsts + 1], firsts[#firsts + 2] = id, at or ''
  end
  look(base .. ':ready')
  for _, lane in ipairs(redis.call('ZRANGE', base .. ':lanes', 0, -1)) do look(base .. ':ready:' .. lane) end
  local counts = {}
  for _, part in ipairs({ ':delayed', ':leased' }) do
    local due = redis.call('ZCOUNT', base .. part, '-inf', before)
    counts[#counts + 1] = redis.call('ZCARD', base .. part) - due
    if due > 0 then
      pending = pending + due
      firsts[#firsts + 1], firsts[#firsts + 2] = '', math.floor(redis.call('ZRANGE', base .. part, 0, 0, 'WITHSCORES')[2])
    end
  end
  answer[number] = { pending, counts[1], counts[2], unpack(firsts) }
end
return answer
`,
);
