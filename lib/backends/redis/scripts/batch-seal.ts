import { Script } from '../script.js';
import { batchPart } from './batch-part.js';
import { memberPart } from './member-part.js';

/**
 * KEYS: base of the batch. Flags: 1 when this sealed it, 4 when this finished it. False without such a batch. Its first write is that of
 * `batch-cancel`.
 */
export const batchSeal = new Script(
  'batch-seal',
  'frees',
  memberPart,
  batchPart,
  `
local base = KEYS[1]
local sealed = redis.call('HGET', base .. ':facts', 'sealed')
if not sealed then return false end
local flags = 0
redis.call('DEL', base .. ':-')
if sealed ~= '1' then
  redis.call('HSET', base .. ':facts', 'sealed', 1)
  flags = 1
end
if conclude_batch(base, batch_now()) then flags = flags + 4 end
return batch_answer(base, flags)
`,
);
