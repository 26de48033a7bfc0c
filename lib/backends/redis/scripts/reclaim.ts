import { Script } from '../script.js';
import { clockPart } from './clock-part.js';
import { leasePart } from './lease-part.js';

/**
 * What a claim took whose answer was lost, found by its nonce, with a new lease. KEYS: queues. ARGV: nonce, length of the lease in ms, how many queues.
 * Answers the end of the leases, then of each job the number of its key, id, token, body, priority, attempts, stalls, memo. Where very many
 * are held nothing is looked for: those jobs come back when their leases end. It begins as the script of renewals does, and for its reason.
 */
export const reclaimScript = new Script(
  'reclaim',
  'frees',
  clockPart,
  leasePart,
  `
local ends, prefix = now_ms() + ARGV[2], ARGV[1] .. '.'
local answer = { ends }
redis.call('DEL', KEYS[1] .. ':-')
for number = 1, tonumber(ARGV[3]) do
  local base = KEYS[number]
  local few = redis.call('ZCARD', base .. ':leased') <= 10000
  for _, lease in ipairs(few and redis.call('ZRANGE', base .. ':leased', 0, -1) or {}) do
    local token = token_of(lease)
    if string.sub(token, 1, #prefix) == prefix then
      local id = id_of(lease)
      local body = redis.call('HGET', base .. ':jobs', id)
      if body then
        redis.call('ZADD', base .. ':leased', ends, lease)
        local text = redis.call('HGET', base .. ':facts', id)
        local facts = text and cmsgpack.unpack(text) or {}
        local job = { number, id, token, body, facts.priority or 0, facts.attempts or 0, facts.stalls or 0, facts.memo or '' }
        for _, part in ipairs(job) do answer[#answer + 1] = part end
      end
    end
  end
end
return answer
`,
);
