/**
 * `take_lock(key, owner, ttl)`: nil when the owner has the lock now, else who has it. `ttl` in ms, '' without end. One's own lock is
 * given the new time.
 */
export const lockPart = `
local function take_lock(key, owner, ttl)
  local holder = redis.call('GET', key)
  if holder and holder ~= owner then return holder end
  if ttl == '' then redis.call('SET', key, owner) else redis.call('SET', key, owner, 'PX', ttl) end
  return nil
end
`;
