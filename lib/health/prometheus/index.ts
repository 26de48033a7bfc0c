export { QueueMetrics, type QueueMetricsOptions } from '../../metrics/queue-metrics.js';
export { QueuePrometheusModule, type QueuePrometheusOptions } from './queue-prometheus.module.js';
