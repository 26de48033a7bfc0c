import { batchStoreCases } from './batch-store-cases.js';
import type { ConformanceCase } from './conformance-case.js';
import { controlStoreCases } from './control-store-cases.js';
import { failedJobStoreCases } from './failed-job-store-cases.js';
import { lockStoreCases } from './lock-store-cases.js';
import { queueDriverCases } from './queue-driver-cases.js';
import { rateLimiterStoreCases } from './rate-limiter-store-cases.js';

export { runCase, type ConformanceCase, type Harness, type Requirement } from './conformance-case.js';
export {
  batchStoreCases,
  controlStoreCases,
  failedJobStoreCases,
  lockStoreCases,
  queueDriverCases,
  rateLimiterStoreCases,
};

/** Every case by what it is about. A backend that lacks a store skips its family, each case with the reason. */
export const conformanceCases: Readonly<Record<ConformanceFamily, readonly ConformanceCase[]>> = {
  'queue driver': queueDriverCases,
  'lock store': lockStoreCases,
  'rate limiter store': rateLimiterStoreCases,
  'failed-job store': failedJobStoreCases,
  'batch store': batchStoreCases,
  'control store': controlStoreCases,
};

export type ConformanceFamily =
  'queue driver' | 'lock store' | 'rate limiter store' | 'failed-job store' | 'batch store' | 'control store';
