import { Script } from '../script.js';
import { batchPart } from './batch-part.js';
import { memberPart } from './member-part.js';

/**
 * KEYS: base of the batch. ARGV: member, outcome, then the members that ended with it. False without such a batch or member. Its first
 * write is that of `batch-cancel`.
 */
export const batchEnd = new Script(
  'batch-end',
  'frees',
  memberPart,
  batchPart,
  `
local also_ended = {}
for at = 3, #ARGV do also_ended[at - 2] = ARGV[at] end
redis.call('DEL', KEYS[1] .. ':-')
local flags = end_member(KEYS[1], ARGV[1], ARGV[2], also_ended, batch_now())
if flags < 0 then return false end
return batch_answer(KEYS[1], flags)
`,
);
