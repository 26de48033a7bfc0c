import type { QueueCommand } from '../command.js';
import { batchesTable } from './batches-table.js';
import { batches } from './batches.js';
import { clear } from './clear.js';
import { failedTable } from './failed-table.js';
import { failed } from './failed.js';
import { flush } from './flush.js';
import { forget } from './forget.js';
import { inspect } from './inspect.js';
import { install } from './install.js';
import { key } from './key.js';
import { listen } from './listen.js';
import { monitor } from './monitor.js';
import { pause } from './pause.js';
import { pruneBatches } from './prune-batches.js';
import { pruneFailed } from './prune-failed.js';
import { restart } from './restart.js';
import { resume } from './resume.js';
import { retryBatch } from './retry-batch.js';
import { retry } from './retry.js';
import { supervise } from './supervise.js';
import { jobsTable } from './table.js';
import { work } from './work.js';

/** Every command, in the order of the help. */
export const commands: readonly QueueCommand[] = [
  work,
  listen,
  supervise,
  restart,
  pause,
  resume,
  monitor,
  inspect,
  failed,
  retry,
  retryBatch,
  forget,
  flush,
  pruneFailed,
  batches,
  pruneBatches,
  clear,
  key,
  install,
  jobsTable,
  failedTable,
  batchesTable,
];
