/**
 * `make_due(base, now)` promotes what became due, up to 3,000 jobs: whoever looks at a queue may not hold the server up.
 *
 * `tell_jobs(base, ids, moments, answer)` adds what is known of each job: id, body, priority, attempts, stalls, since when it could be
 * taken ('' where its id tells) and its moment, the time when it is due or its lease ends. A job whose body is gone is left out.
 */
export const jobPart = `
local function make_due(base, now)
  for _ = 1, 3 do
    if not promote(base, now) then return end
  end
end

local function tell_jobs(base, ids, moments, answer)
  if #ids == 0 then return answer end
  local bodies = redis.call('HMGET', base .. ':jobs', unpack(ids))
  local texts = redis.call('HMGET', base .. ':facts', unpack(ids))
  for i, id in ipairs(ids) do
    if bodies[i] then
      local facts, n = texts[i] and cmsgpack.unpack(texts[i]) or {}, #answer
      answer[n + 1], answer[n + 2] = id, bodies[i]
      answer[n + 3], answer[n + 4], answer[n + 5] = facts.priority or 0, facts.attempts or 0, facts.stalls or 0
      answer[n + 6], answer[n + 7] = facts.availableAt or '', moments[i] or ''
    end
  end
  return answer
end
`;
