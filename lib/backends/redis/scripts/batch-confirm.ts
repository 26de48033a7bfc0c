import { Script } from '../script.js';
import { batchDuePart } from './batch-due-part.js';

/** KEYS: base of the batch. ARGV: callbacks. What `batch_due` says after it. Its first write is that of `batch-cancel`. */
export const batchConfirm = new Script(
  'batch-confirm',
  'frees',
  batchDuePart,
  `
local facts = KEYS[1] .. ':facts'
if redis.call('EXISTS', facts) == 0 then return -2 end
redis.call('DEL', KEYS[1] .. ':-')
for _, callback in ipairs(ARGV) do redis.call('HSET', facts, 'ok:' .. callback, 1) end
return batch_due(KEYS[1])
`,
);
