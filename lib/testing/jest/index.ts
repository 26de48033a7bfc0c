import { expect } from '@jest/globals';
import { queueMatchers, type QueueMatchers } from '../matchers.js';

export type { PushedExpectation, QueueMatchers } from '../matchers.js';

// Imported for this: `expect(queue).toHavePushed(ShipOrder)`.
expect.extend(queueMatchers);

// The `expect` of '@jest/globals'.
declare module 'expect' {
  interface Matchers<R extends void | Promise<void>, T = unknown> extends QueueMatchers<R> {}
}

// The global one of @types/jest.
declare global {
  namespace jest {
    interface Matchers<R, T = {}> extends QueueMatchers<R> {}
  }
}
