/** Characters of a token: 22 of the nonce, a point, and ten thousand more than the place in the answer of the claim, from 1. */
export const TOKEN_LENGTH = 28;

/**
 * A reservation is a member of `:leased`: the id, and its token right behind it. Whoever can take the member out holds the job, so one
 * ZREM is the fence as well. `id_of(lease)` and `token_of(lease)` are its parts.
 *
 * `lease_of(base, id)` looks for a job's reservation, and the end of it: only where somebody asks by hand, for it reads them all.
 */
export const leasePart = `
local function id_of(lease)
  return string.sub(lease, 1, -${TOKEN_LENGTH + 1})
end

local function token_of(lease)
  return string.sub(lease, -${TOKEN_LENGTH})
end

local function lease_of(base, id)
  local n = #id
  for from = 0, redis.call('ZCARD', base .. ':leased') - 1, 1000 do
    for _, lease in ipairs(redis.call('ZRANGE', base .. ':leased', from, from + 999)) do
      if #lease == n + ${TOKEN_LENGTH} and string.sub(lease, 1, n) == id then
        return lease, tonumber(redis.call('ZSCORE', base .. ':leased', lease))
      end
    end
  end
end
`;
