/** `tell_holder(base, token, lease, now)`: for a minute longer than the lease, whoever asks with the token is told that the job was removed. */
export const cancelPart = `
local function tell_holder(base, token, lease, now)
  redis.call('SET', base .. ':gone:' .. token, '1', 'PX', math.max(0, math.floor(lease or now) - now) + 60000)
end
`;
