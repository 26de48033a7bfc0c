import { Script } from '../script.js';
import { ringPart } from './ring-part.js';

/** Rings for queues that have jobs: a marker was taken by somebody who takes no job. KEYS: queues. ARGV: how many. */
export const giveBackBellScript = new Script(
  'give-back-bell',
  'frees',
  ringPart,
  `
for i = 1, tonumber(ARGV[1]) do
  local base = KEYS[i]
  if redis.call('EXISTS', base .. ':ready', base .. ':lanes') > 0 then ring(base) end
end
return 0
`,
);
