import { Script } from '../script.js';

/** KEYS: base of the index. ARGV: id. Enters a batch as one that exists and has something open; microseconds tell which came first. */
export const batchList = new Script(
  'batch-list',
  'stores',
  `
local time = redis.call('TIME')
local score = time[1] * 1000000 + time[2]
redis.call('ZADD', KEYS[1] .. ':all', 'NX', score, ARGV[1])
redis.call('ZADD', KEYS[1] .. ':open', 'NX', score, ARGV[1])
return 1
`,
);
