/**
 * `apply_effects(base, now, token, at, behind, place)` does what follows a settlement, in the order of the arguments from `at` to before
 * `behind`. Each has a letter and, but for the last, the number of a key:
 *
 *     m  batch: member, outcome, how many ended with it, those
 *     u  lock: owner
 *     p  queue: a job as `job_at` reads it
 *     f  base of the failed jobs: id, record, moment
 *     o  what cannot be done here, since its keys are in another slot: kept in `:effects` under the token, behind the moment and a colon
 */
export const effectsPart = `
local function apply_effects(base, now, token, at, behind, place)
  while at < behind do
    local kind, key = ARGV[at], KEYS[tonumber(ARGV[at + 1])]
    if kind == 'u' then
      unlock(key, ARGV[at + 2])
      at = at + 3
    elseif kind == 'p' then
      store(key, now, job_at(at + 2))
      at = at + 2 + JOB_ARGS
    elseif kind == 'm' then
      local n, also = tonumber(ARGV[at + 4]), {}
      for i = 1, n do also[i] = ARGV[at + 4 + i] end
      note_member(place, key, end_member(key, ARGV[at + 2], ARGV[at + 3], also, now))
      at = at + 5 + n
    elseif kind == 'f' then
      record_failure(key, ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
      at = at + 5
    else
      redis.call('HSET', base .. ':effects', token, now .. ':' .. ARGV[at + 1])
      at = at + 2
    end
  end
end
`;
