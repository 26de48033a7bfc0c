import {
  Controller,
  Get,
  Inject,
  Module,
  Res,
  VERSION_NEUTRAL,
  type DynamicModule,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { QUEUE_RUNTIME } from '../../nest/tokens.js';
import type { QueueRuntime } from '../../nest/wiring.js';
import { QueueMetrics, type QueueMetricsOptions } from '../../metrics/queue-metrics.js';

export interface QueuePrometheusOptions extends QueueMetricsOptions {
  /** Where the metrics are read, behind the application's global prefix; `false` adds no controller. Default `/metrics`. */
  readonly path?: string | false;
  /** For that controller, such as `UseGuards(…)`, or what lets it pass a global guard. */
  readonly decorators?: readonly ClassDecorator[];
  /** The module that has QueueModule, where that is not global. */
  readonly imports?: ModuleMetadata['imports'];
}

/** What both of Nest's HTTP platforms have. */
interface Reply {
  header(name: string, value: string): unknown;
  send(text: string): unknown;
}

/**
 * Metrics of the application's queues for Prometheus: `imports: [QueuePrometheusModule.register()]` beside QueueModule, and `GET /metrics`
 * answers. It provides `QueueMetrics`, whose `registry` is the application's to add to. Needs the package prom-client.
 */
@Module({})
export class QueuePrometheusModule {
  /** @throws MissingPackageError, InvalidOptionError, UnknownConnectionError when the application boots */
  static register({
    path = '/metrics',
    decorators,
    imports = [],
    ...options
  }: QueuePrometheusOptions = {}): DynamicModule {
    return {
      module: QueuePrometheusModule,
      imports,
      controllers: path === false ? [] : [controllerAt(path, decorators)],
      providers: [
        {
          provide: QueueMetrics,
          inject: [QUEUE_RUNTIME],
          useFactory: (runtime: QueueRuntime) => QueueMetrics.open(runtime, options),
        },
      ],
      exports: [QueueMetrics],
    };
  }
}

function controllerAt(path: string, decorators: readonly ClassDecorator[] = []): Type {
  @Controller({ path, version: VERSION_NEUTRAL })
  class QueueMetricsController {
    constructor(@Inject(QueueMetrics) private readonly metrics: QueueMetrics) {}

    // Sent by hand: an interceptor of the application that wraps every answer would make it unreadable.
    @Get()
    async read(@Res() reply: Reply): Promise<void> {
      const text = await this.metrics.text();
      reply.header('content-type', this.metrics.contentType);
      reply.header('cache-control', 'no-store');
      reply.send(text);
    }
  }
  for (const decorate of decorators) decorate(QueueMetricsController);
  return QueueMetricsController;
}
