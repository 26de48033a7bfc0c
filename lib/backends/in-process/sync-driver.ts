import type { BackendFactory } from '../../contracts/backend.js';
import { inProcessDriver, pickedUp } from './in-process-driver.js';

/** Runs each job inside the push, on a queue called 'sync' as Laravel's is. Delays are ignored; what the handler throws is the entry's error. */
export const syncDriver: BackendFactory<object> = (_options, context) =>
  inProcessDriver(context, async (entry) => {
    try {
      await context.run({ ...pickedUp(entry), queue: 'sync' });
      return { stored: true };
    } catch (error) {
      return { stored: false, reason: 'error', error };
    }
  });
