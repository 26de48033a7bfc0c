import { Script } from '../script.js';
import { batchPart } from './batch-part.js';

/** KEYS: base of the batch. False without such a batch. */
export const batchFind = new Script(
  'batch-find',
  'frees',
  batchPart,
  `
if redis.call('EXISTS', KEYS[1] .. ':facts') == 0 then return false end
return batch_answer(KEYS[1], 0)
`,
);
