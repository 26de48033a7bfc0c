import { Script } from '../script.js';
import { batchPart } from './batch-part.js';

/** KEYS: base of the batch. False without such a batch. Its first write frees nothing, but is allowed on a full server. */
export const batchCancel = new Script(
  'batch-cancel',
  'frees',
  batchPart,
  `
local facts = KEYS[1] .. ':facts'
if redis.call('EXISTS', facts) == 0 then return false end
redis.call('DEL', KEYS[1] .. ':-')
redis.call('HSETNX', facts, 'cancelledAt', batch_now())
return batch_answer(KEYS[1], 0)
`,
);
