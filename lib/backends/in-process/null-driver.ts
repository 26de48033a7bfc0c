import type { BackendFactory } from '../../contracts/backend.js';
import type { QueueDriver } from '../../contracts/queue-driver.js';
import { inProcessDriver } from './in-process-driver.js';

/** Forgets what is pushed. */
export const nullDriver: BackendFactory<object> = (_options, context): QueueDriver => ({
  ...inProcessDriver(context, () => Promise.resolve({ stored: true })),
  storeless: 'discards',
  clearing: { clear: () => Promise.resolve(0) },
});
