import { jest } from '@jest/globals';

// A machine that has much else to do may be late once; what is late, or wrong, twice is wrong. The first failure is printed, and
// `npm run verify` counts and names those that needed a second try.
if (process.env['SECOND_TRY'] === '1') jest.retryTimes(1, { logErrorsBeforeRetry: true });
