/** `ring(base)` wakes one of those who wait for the queue: there is at most one marker. */
export const ringPart = `
local function ring(base)
  local bell = base .. ':bell'
  if redis.call('EXISTS', bell) == 0 then redis.call('RPUSH', bell, '1') end
end
`;
