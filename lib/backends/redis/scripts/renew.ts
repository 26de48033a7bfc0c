import { Script } from '../script.js';
import { clockPart } from './clock-part.js';
import { leasePart } from './lease-part.js';

/**
 * Makes leases end later. KEYS: queues. ARGV: length in ms, then number of the queue's key and reservation of each job. Answers what was
 * refused as a settlement is, 0 for none.
 *
 * A full server older than 7 refuses a script whose first write needs memory, and a renewal has no other: so it begins with taking away
 * what never exists.
 */
export const renewScript = new Script(
  'renew',
  'frees',
  clockPart,
  leasePart,
  `
local refused = {}
if KEYS[1] then redis.call('DEL', KEYS[1] .. ':-') end
local ends = now_ms() + ARGV[1]
for at = 2, #ARGV, 2 do
  local base, lease = KEYS[tonumber(ARGV[at])], ARGV[at + 1]
  local place = at / 2 - 1
  if redis.call('ZSCORE', base .. ':leased', lease) then
    redis.call('ZADD', base .. ':leased', ends + place % 1024, lease)
  else
    refused[#refused + 1] = place
    refused[#refused + 1] = redis.call('EXISTS', base .. ':gone:' .. token_of(lease)) == 1 and 'c' or 'h'
  end
end
return #refused > 0 and refused or 0
`,
);
