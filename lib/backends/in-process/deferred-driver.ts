import type { BackendFactory } from '../../contracts/backend.js';
import { inProcessDriver, pickedUp } from './in-process-driver.js';

/** Runs each job once the current HTTP response is out, at once outside a request. Delays are ignored. */
export const deferredDriver: BackendFactory<object> = (_options, context) =>
  inProcessDriver(context, (entry) => {
    // An error has been logged and raised as events by the run itself, and by now there is nobody left to tell.
    context.afterResponse(() => context.run(pickedUp(entry)).catch(() => {}));
    return Promise.resolve({ stored: true });
  });
