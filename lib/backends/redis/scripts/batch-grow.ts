import { Script } from '../script.js';
import { batchPart } from './batch-part.js';

/** KEYS: base of the batch. ARGV: 1 and the member on whose behalf, or 0 and '', then members. Flags: 1 when it grew. False without such a batch. */
export const batchGrow = new Script(
  'batch-grow',
  'stores',
  batchPart,
  `
local base = KEYS[1]
local facts = base .. ':facts'
if redis.call('EXISTS', facts) == 0 then return false end
local within = ARGV[1] == '1' and redis.call('HGET', base .. ':members', ARGV[2]) == 'w'
if redis.call('HEXISTS', facts, 'finishedAt') == 1 and not within then return batch_answer(base, 0) end
batch_join(base, 3)
return batch_answer(base, 1)
`,
);
