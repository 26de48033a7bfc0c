import { Script } from '../script.js';

/**
 * KEYS: base of the batch. ARGV: 'any', or which kind must be before which moment, in epoch ms: finished by then, or made by then and
 * unfinished or cancelled. 1 when it is gone, 0 when it stays, -2 where there was none.
 */
export const batchDrop = new Script(
  'batch-drop',
  'frees',
  `
local base, kind = KEYS[1], ARGV[1]
local f = redis.call('HMGET', base .. ':facts', 'createdAt', 'finishedAt', 'cancelledAt')
if not f[1] then return -2 end
if kind ~= 'any' then
  local moment = f[2]
  if kind == 'cancelled' then moment = f[3] and f[1] end
  if kind == 'unfinished' then moment = not f[2] and not f[3] and f[1] end
  if not moment or tonumber(moment) >= tonumber(ARGV[2]) then return 0 end
end
redis.call('UNLINK', base .. ':facts', base .. ':members', base .. ':failed')
return 1
`,
);
