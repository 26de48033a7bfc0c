export { startRedisCluster } from './redis-cluster.mjs';
export { startRedisSentinel } from './redis-sentinel.mjs';
export { startRedis } from './redis-server.mjs';
