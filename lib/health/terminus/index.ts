export { QueueHealthIndicator } from './queue-health-indicator.js';
export { QueueTerminusModule } from './queue-terminus.module.js';
