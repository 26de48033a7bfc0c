import { Script } from '../script.js';
import { batchPart } from './batch-part.js';
import { memberPart } from './member-part.js';

/**
 * KEYS: base of the batch. ARGV: nonce of the call, name, options, sealed, cancels, then members. Flags: 1 when this call made it, also
 * where it is sent again as its answer was lost.
 */
export const batchCreate = new Script(
  'batch-create',
  'stores',
  memberPart,
  batchPart,
  `
local base = KEYS[1]
local maker = redis.call('HGET', base .. ':facts', 'maker')
if maker then return batch_answer(base, maker == ARGV[1] and 1 or 0) end
local now = batch_now()
redis.call('HSET', base .. ':facts', 'maker', ARGV[1], 'name', ARGV[2], 'options', ARGV[3], 'sealed', ARGV[4], 'cancels', ARGV[5],
  'createdAt', now, 'total', 0, 'pending', 0, 'failed', 0, 'ended', 0)
batch_join(base, 6)
conclude_batch(base, now)
return batch_answer(base, 1)
`,
);
