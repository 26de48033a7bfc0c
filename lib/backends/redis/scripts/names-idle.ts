import { Script } from '../script.js';
import { clockPart } from './clock-part.js';

/** KEYS: base of the names. ARGV: ms, how many at most. Those that nobody has written for so long, the oldest first. */
export const namesIdle = new Script(
  'names-idle',
  'frees',
  clockPart,
  `return redis.call('ZRANGEBYSCORE', KEYS[1] .. ':written', '-inf', '(' .. now_ms() - ARGV[1], 'LIMIT', 0, ARGV[2])`,
);
