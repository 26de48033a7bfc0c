/**
 * `batch_due(base)`: the first moment since when a callback is due and not confirmed; 0 where none is, -1 where none will be any more, -2
 * where there is no such batch. `then` may still come to a batch that finished with failures: a retry of them completes it.
 */
export const batchDuePart = `
local function batch_due(base)
  local f = redis.call('HMGET', base .. ':facts', 'createdAt', 'finishedAt', 'cancelledAt',
    'due:then', 'ok:then', 'due:catch', 'ok:catch', 'due:finally', 'ok:finally')
  if not f[1] then return -2 end
  local since = 0
  for at = 4, 8, 2 do
    local due = tonumber(f[at])
    if due and not f[at + 1] and (since == 0 or due < since) then since = due end
  end
  if since == 0 and f[2] and (f[3] or f[4]) then return -1 end
  return since
end
`;
