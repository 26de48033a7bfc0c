import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { QueueHealth } from '../../nest/queue-health.js';
import type { HealthCheckOptions } from '../../operations/check-health.js';

/** The queues as an indicator of @nestjs/terminus. */
@Injectable()
export class QueueHealthIndicator {
  constructor(
    @Inject(QueueHealth) private readonly health: QueueHealth,
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
  ) {}

  /**
   * Up or down under `key`, with the report of `QueueHealth.check()`: connections, queues, workers and problems. It answers within
   * `options.timeout` (3 s).
   *
   * @throws InvalidOptionError, UnknownConnectionError, InvalidQueueNameError for what it was asked
   */
  async isHealthy<const Key extends string>(
    key: Key,
    options?: HealthCheckOptions,
  ): Promise<HealthIndicatorResult<Key>> {
    const { status, ...report } = await this.health.check(options);
    const indicator = this.indicators.check(key);
    return status === 'up' ? indicator.up(report) : indicator.down(report);
  }
}
