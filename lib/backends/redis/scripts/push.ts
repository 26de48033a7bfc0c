import { Script } from '../script.js';
import { clockPart } from './clock-part.js';
import { factsPart } from './facts-part.js';
import { lockPart } from './lock-part.js';
import { leanPushPart } from './lean-push-part.js';
import { leasePart } from './lease-part.js';
import { orderPart } from './order-part.js';
import { ringPart } from './ring-part.js';
import { storePart } from './store-part.js';

/**
 * Keeps jobs, all or none. The arguments are stretches, each with a letter and the number of its queue's key: `p`, how many, then id
 * and body of each for plain jobs, at most 1,000; `s` and a job as `job_at` reads it. Answers 0 when all were stored, else a digit for
 * each as `store` answers it, and the holder of each lock that was held.
 */
export const pushScript = new Script(
  'push',
  'stores',
  leanPushPart,
  clockPart,
  ringPart,
  leasePart,
  orderPart,
  factsPart,
  lockPart,
  storePart,
  `
local now = now_ms()
local codes, holders, refused, count = {}, {}, false, 0

local function plain_alone(base, id, body)
  local code = store(base, now, { id = id, body = body, delay = 0, priority = 0 })
  count = count + 1
  codes[count] = code
  if code ~= 0 then refused = true end
end

local function plain(base, at, n)
  local ids, seen, fresh = {}, {}, true
  for i = 1, n do
    local id = ARGV[at + 2 * i - 2]
    if seen[id] then fresh = false end
    ids[i], seen[id] = id, true
  end
  if fresh then
    local found = redis.call('HMGET', base .. ':jobs', unpack(ids))
    for i = 1, n do
      if found[i] then fresh = false break end
    end
  end
  if not fresh or promote(base, now) then
    for i = 1, n do plain_alone(base, ids[i], ARGV[at + 2 * i - 1]) end
    return
  end
  redis.call('HSET', base .. ':jobs', unpack(ARGV, at, at + 2 * n - 1))
  redis.call('RPUSH', base .. ':ready', unpack(ids))
  ring(base)
  for i = count + 1, count + n do codes[i] = 0 end
  count = count + n
end

local at = 1
while at <= #ARGV do
  local kind, base = ARGV[at], KEYS[tonumber(ARGV[at + 1])]
  if kind == 'p' then
    local n = tonumber(ARGV[at + 2])
    plain(base, at + 3, n)
    at = at + 3 + 2 * n
  else
    local code, holder = store(base, now, job_at(at + 2))
    count = count + 1
    codes[count] = code
    if code ~= 0 then refused = true end
    if holder then holders[#holders + 1] = holder end
    at = at + 2 + JOB_ARGS
  end
end
if not refused then return 0 end
return { table.concat(codes), unpack(holders) }
`,
);
