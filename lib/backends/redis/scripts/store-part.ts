/**
 * `put(base, now, id, wait, facts, dated)` lets a job wait whose body is there, for so many ms; `dated` where it is to be known since when
 * it could be taken.
 *
 * `store(base, now, job)` keeps one job: 0 stored, 1 its id is there already, 2 and the holder where its lock is held by another.
 * `job` has `id`, `body`, `delay` in ms, `priority`, `dated` where its id does not tell when it was stored, `once` in ms, and
 * `lock_key`, `lock_name`, `lock_owner`, `lock_ttl`; the key is absent where the lock is taken beforehand.
 *
 * `job_at(at)` reads one from the arguments: id, body, delay, priority, dated, once, number of the lock's key, name, owner, ttl.
 */
export const storePart = `
local JOB_ARGS = 10

local function job_at(at)
  local name = ARGV[at + 7]
  return {
    id = ARGV[at], body = ARGV[at + 1], delay = tonumber(ARGV[at + 2]), priority = tonumber(ARGV[at + 3]),
    dated = ARGV[at + 4] == '1', once = ARGV[at + 5] ~= '' and tonumber(ARGV[at + 5]) or nil,
    lock_key = KEYS[tonumber(ARGV[at + 6])], lock_name = name ~= '' and name or nil,
    lock_owner = ARGV[at + 8], lock_ttl = ARGV[at + 9],
  }
end

local function put(base, now, id, wait, facts, dated)
  local behind = promote(base, now)
  local waits = behind or wait > 0
  facts.availableAt = not waits and dated and now or nil
  if next(facts) then keep_facts(base, id, facts) else redis.call('HDEL', base .. ':facts', id) end
  if not waits then
    append(base, facts.priority or 0, { id })
    ring(base)
  else
    delay(base, id, now + wait)
    if redis.call('ZRANGE', base .. ':delayed', 0, 0)[1] == id then ring(base) end
  end
end

local function store(base, now, job)
  if redis.call('HEXISTS', base .. ':jobs', job.id) == 1 then return 1 end
  if job.once and redis.call('EXISTS', base .. ':once:' .. job.id) == 1 then return 1 end
  if job.lock_key then
    local holder = take_lock(job.lock_key, job.lock_owner, job.lock_ttl)
    if holder then return 2, holder end
  end
  if job.once and job.once >= 1 then redis.call('SET', base .. ':once:' .. job.id, '1', 'PX', job.once) end
  redis.call('HSET', base .. ':jobs', job.id, job.body)
  local facts = { lockKey = job.lock_name, lockOwner = job.lock_name and job.lock_owner }
  if job.priority ~= 0 then facts.priority = job.priority end
  put(base, now, job.id, job.delay, facts, job.dated)
  return 0
end
`;
