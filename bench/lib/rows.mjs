import { backlogRows } from '../rows/backlog.mjs';
import { batchRows } from '../rows/batch.mjs';
import { costRows } from '../rows/cost.mjs';
import { costRedisRows } from '../rows/cost-redis.mjs';
import { delayedRows } from '../rows/delayed.mjs';
import { dispatchRows } from '../rows/dispatch.mjs';
import { idleRows } from '../rows/idle.mjs';
import { latencyRows } from '../rows/latency.mjs';
import { memoryRows } from '../rows/memory.mjs';
import { processRows } from '../rows/process.mjs';
import { soakRows } from '../rows/soak.mjs';
import { storageRows } from '../rows/storage.mjs';

/**
 * In the order of the tables. A row has an `id`; `lines`, what of its values is shown and which way is better; `once` where one round
 * says enough; `quick` where it is part of a quick run; `families` and `ours` where it is not for all.
 */
export const ROWS = [
  ...dispatchRows,
  ...processRows,
  ...batchRows,
  ...latencyRows,
  ...delayedRows,
  ...storageRows,
  ...memoryRows,
  ...backlogRows,
  ...costRows,
  ...costRedisRows,
  ...idleRows,
  ...soakRows,
];

export function findRow(id) {
  return ROWS.find((row) => row.id === id);
}
