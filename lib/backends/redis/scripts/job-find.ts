import { Script } from '../script.js';
import { clockPart } from './clock-part.js';
import { factsPart } from './facts-part.js';
import { jobPart } from './job-part.js';
import { leasePart } from './lease-part.js';
import { orderPart } from './order-part.js';

/** KEYS: the queue. ARGV: id. Its state, name and owner of its lock or '', and the job. False where it is not there. */
export const jobFind = new Script(
  'job-find',
  'frees',
  clockPart,
  factsPart,
  leasePart,
  orderPart,
  jobPart,
  `
local base, id = KEYS[1], ARGV[1]
if redis.call('HEXISTS', base .. ':jobs', id) == 0 then return false end
make_due(base, now_ms())
local state, moment = 'delayed', redis.call('ZSCORE', base .. ':delayed', id)
if not moment then state, moment = 'reserved', select(2, lease_of(base, id)) end
if not moment then state = 'pending' end
local facts = facts_of(base, id)
local answer = { state, facts.lockKey or '', facts.lockOwner or '' }
return tell_jobs(base, { id }, { moment and math.floor(moment) }, answer)
`,
);
