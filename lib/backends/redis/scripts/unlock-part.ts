/** `unlock(key, owner)`: 1 when the owner had the lock and it is free now, else 0. */
export const unlockPart = `
local function unlock(key, owner)
  if redis.call('GET', key) ~= owner then return 0 end
  redis.call('DEL', key)
  return 1
end
`;
