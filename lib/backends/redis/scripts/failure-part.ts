/**
 * `record_failure(base, id, record, failed_at)` keeps a failed job, `forget_failure(base, id, failed_at)` removes one and tells whether
 * it was there; where a moment is given, only a record of that moment.
 *
 *     :records        hash id → record
 *     :places         hash id → label, newline, member of the orders
 *     :order          zset of members by failed_at
 *     :order:<label>  the same for the records of one label
 *     :labels         set of all labels
 *
 * A record begins with its label, which says connection and queue, and a newline; nothing behind that is looked at. A member is the
 * number of the record in 16 digits, a colon and the id, so that records of one moment stand in the order of their recording.
 */
export const failurePart = `
local function forget_failure(base, id, failed_at)
  local place = redis.call('HGET', base .. ':places', id)
  if not place then return 0 end
  local line = string.find(place, '\\n', 1, true)
  local label, member = string.sub(place, 1, line - 1), string.sub(place, line + 1)
  if failed_at and failed_at ~= '' and tonumber(redis.call('ZSCORE', base .. ':order', member)) ~= tonumber(failed_at) then
    return 0
  end
  redis.call('HDEL', base .. ':records', id)
  redis.call('HDEL', base .. ':places', id)
  redis.call('ZREM', base .. ':order', member)
  redis.call('ZREM', base .. ':order:' .. label, member)
  if redis.call('EXISTS', base .. ':order:' .. label) == 0 then redis.call('SREM', base .. ':labels', label) end
  return 1
end

local function record_failure(base, id, record, failed_at)
  forget_failure(base, id)
  local line = string.find(record, '\\n', 1, true)
  local label = string.sub(record, 1, line - 1)
  local member = string.format('%016d', redis.call('INCR', base .. ':count')) .. ':' .. id
  redis.call('HSET', base .. ':records', id, record)
  redis.call('HSET', base .. ':places', id, label .. '\\n' .. member)
  redis.call('ZADD', base .. ':order', failed_at, member)
  redis.call('ZADD', base .. ':order:' .. label, failed_at, member)
  redis.call('SADD', base .. ':labels', label)
end
`;
