import { Script } from '../script.js';

/** KEYS: base of the index. ARGV: how many, then the id in front of the page or nothing. Ids, newest first. */
export const batchListPage = new Script(
  'batch-list-page',
  'frees',
  `
local all, from = KEYS[1] .. ':all', 0
if ARGV[2] then
  local rank = redis.call('ZREVRANK', all, ARGV[2])
  if not rank then return {} end
  from = rank + 1
end
return redis.call('ZREVRANGE', all, from, from + ARGV[1] - 1)
`,
);
