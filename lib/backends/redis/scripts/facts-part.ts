/**
 * What is known of a job that is not plain, in `:facts` by its id: `attempts` (pick-ups that ended without an ack and count), `stalls`,
 * `priority`, `memo`, `lockKey` and `lockOwner` as `storable` text, and `availableAt` of one that waits. What is absent is 0, or nothing.
 *
 * A job is plain, and has none, when it was pushed to be taken at once, with priority 0, no lock, and an id that tells the moment; and
 * was not released and did not stall. Nearly all are.
 */
export const factsPart = `
local function facts_of(base, id)
  local text = redis.call('HGET', base .. ':facts', id)
  return text and cmsgpack.unpack(text) or {}
end

local function keep_facts(base, id, facts)
  redis.call('HSET', base .. ':facts', id, cmsgpack.pack(facts))
end
`;
