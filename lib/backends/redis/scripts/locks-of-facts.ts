import { Script } from '../script.js';

/** KEYS: facts that were put aside. ARGV: cursor. Answers the next cursor, '0' at the end, then name and owner of each lock. */
export const locksOfFacts = new Script(
  'locks-of-facts',
  'frees',
  `
local scan = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 500)
local answer = { scan[1] }
for at = 2, #scan[2], 2 do
  local facts = cmsgpack.unpack(scan[2][at])
  if facts.lockKey then
    answer[#answer + 1] = facts.lockKey
    answer[#answer + 1] = facts.lockOwner
  end
end
return answer
`,
);
