import { afterAll } from '@jest/globals';
import { describeConformance } from '../support/conformance.js';
import { describeRedis } from '../support/shared-redis.js';
import { SharedRedisBackends } from './redis-harness.js';

describeRedis('redis cluster', () => {
  const backends = new SharedRedisBackends('cluster');
  afterAll(() => backends.drop());
  describeConformance('redis cluster', () => backends.harness());
});
