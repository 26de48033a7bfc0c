import { expect } from 'vitest';
import { queueMatchers, type QueueMatchers } from '../matchers.js';

export type { PushedExpectation, QueueMatchers } from '../matchers.js';

// Imported for this: `expect(queue).toHavePushed(ShipOrder)`.
expect.extend(queueMatchers);

declare module 'vitest' {
  interface Matchers<T = any> extends QueueMatchers<void> {}
}
