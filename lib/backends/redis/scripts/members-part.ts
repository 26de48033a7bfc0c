/**
 * Counts members of one batch that have all succeeded: those that waited in four commands, however many they are. Needs `call`,
 * `redis.call`; `batch`, its base; `ids` of members, each once, at most 1,000; `slots`, where each of them stands in the arguments.
 *
 * Leaves `flags`, as `end_member` has them, of those that were counted (0: none), with `last`, where the last of these stands; `others`,
 * the places in `ids` of those that did not wait; and `open`, true where these are to be counted, or where the batch may have finished
 * or have something due: `finish_members` sees to both.
 */
export const countMembers = `
local states, marks, others, n, last = call('HMGET', batch .. ':members', unpack(ids)), {}, {}, 0, 0
for i = 1, #ids do
  if states[i] == 'w' then
    n, last = n + 1, slots[i]
    marks[2 * n - 1], marks[2 * n] = ids[i], 'd'
  else
    others[#others + 1] = i
  end
end
local flags, open = 0, #others > 0
if n > 0 then
  local facts = batch .. ':facts'
  call('HSET', batch .. ':members', unpack(marks))
  local f = call('HMGET', facts, 'total', 'pending', 'ended', 'due:catch', 'ok:catch', 'due:then', 'due:finally')
  call('HSET', facts, 'pending', f[2] - n, 'ended', f[3] + n)
  flags = f[3] == '0' and 3 or 1
  open = open or f[3] + n == tonumber(f[1]) or f[4] and not f[5] or f[6] or f[7]
end
`;

/**
 * `note_member(place, batch, flags)` notes what `end_member` answered where it is more than that the end was counted: the sum of it and of
 * what is due and not confirmed, 16 `then`, 32 `catch`, 64 `finally`.
 *
 * `end_members(batch, ids, slots, shift, now)` counts members that have succeeded; a settlement's place is `shift` more than its slot.
 * `finish_members` does what `countMembers` has left open.
 */
export const membersPart = `
local function note_member(place, batch, flags)
  if flags < 0 then return end
  local f = redis.call('HMGET', batch .. ':facts', 'due:then', 'ok:then', 'due:catch', 'ok:catch', 'due:finally', 'ok:finally')
  if f[1] and not f[2] then flags = flags + 16 end
  if f[3] and not f[4] then flags = flags + 32 end
  if f[5] and not f[6] then flags = flags + 64 end
  if flags > 1 then note(place, flags) end
end

local function finish_members(batch, ids, slots, others, flags, last, shift, now)
  if flags > 0 then
    if conclude_batch(batch, now) then flags = flags + 4 end
    note_member(last + shift, batch, flags)
  end
  for _, i in ipairs(others) do note_member(slots[i] + shift, batch, end_member(batch, ids[i], 'done', {}, now)) end
end

local function end_members(batch, ids, slots, shift, now)
  local call = redis.call
  ${countMembers}
  if open then finish_members(batch, ids, slots, others, flags, last, shift, now)
  elseif flags > 1 then note(last + shift, flags) end
end

local function ack_members(base, batch, at, n, place, now)
  local ids, slots = ack_many(base, at, n, place)
  if #ids > 0 then end_members(batch, ids, slots, place - at, now) end
end
`;
