import { afterAll } from '@jest/globals';
import { describeConformance } from '../support/conformance.js';
import { describeRedis } from '../support/shared-redis.js';
import { SharedRedisBackends } from './redis-harness.js';

describeRedis('redis', () => {
  const backends = new SharedRedisBackends('standalone');
  afterAll(() => backends.drop());
  describeConformance('redis', () => backends.harness());
});
