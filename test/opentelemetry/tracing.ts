import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';

/** Spans as an SDK of the application would collect them. */
export class Tracing {
  readonly #exporter = new InMemorySpanExporter();
  readonly provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#exporter)] });

  /** Registers an SDK with the API, as an application does before anything else. */
  start(): void {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(this.provider);
  }

  async stop(): Promise<void> {
    await this.provider.shutdown();
    context.disable();
    trace.disable();
    propagation.disable();
  }

  reset(): void {
    this.#exporter.reset();
  }

  /** Those that have ended, in that order. */
  get all(): readonly ReadableSpan[] {
    return this.#exporter.getFinishedSpans();
  }

  named(name: string): readonly ReadableSpan[] {
    return this.all.filter((span) => span.name === name);
  }

  /** The only one of this name. */
  one(name: string): ReadableSpan {
    const [first, ...others] = this.named(name);
    if (first && others.length === 0) return first;
    throw new Error(`There are ${others.length + (first ? 1 : 0)} spans "${name}" among: ${this.names().join(', ')}`);
  }

  names(): readonly string[] {
    return this.all.map(({ name }) => name);
  }
}

export const idOf = (span: ReadableSpan): string => span.spanContext().spanId;
export const traceOf = (span: ReadableSpan): string => span.spanContext().traceId;

/** The span ids that a span is linked to. */
export const linksOf = ({ links }: ReadableSpan): readonly string[] => links.map((link) => link.context.spanId);

export const parentOf = ({ parentSpanContext }: ReadableSpan): string | undefined => parentSpanContext?.spanId;
