import { Script } from '../script.js';
import { limitPart } from './limit-part.js';

/** KEYS: base of the limits. ARGV: the limits. */
export const limitPeek = new Script(
  'limit-peek',
  'frees',
  limitPart,
  `
local _, answer = look_at_limits(KEYS[1], 1)
return answer
`,
);
