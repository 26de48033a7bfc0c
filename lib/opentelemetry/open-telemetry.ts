import type { Context, Span, TracerProvider } from '@opentelemetry/api';
import type { AttemptTrace, PublishTrace, QueueTelemetry } from '../contracts/telemetry.js';
import { toError } from '../support/error-text.js';
import { describe, InvalidOptionError } from '../support/queue-error.js';
import { withoutSecrets } from '../support/without-secrets.js';
import { loadApi, type Api } from './api.js';
import {
  isFailure,
  processAttributes,
  processedAttributes,
  publishAttributes,
  publishedAttributes,
} from './span-attributes.js';
import { contextOf, valuesOf } from './trace-values.js';

export interface OpenTelemetryOptions {
  /**
   * What an attempt does belongs to the trace of whoever dispatched the job: its span is a child of the dispatch's. Default false: each
   * attempt begins a trace of its own, which is linked to the dispatch.
   */
  continueTrace?: boolean;
  /** Makes the spans. Default: the one that is registered with the OpenTelemetry API, also where that comes later. */
  tracerProvider?: TracerProvider;
}

const KNOWN: ReadonlySet<string> = new Set([
  'continueTrace',
  'tracerProvider',
] satisfies (keyof OpenTelemetryOptions)[]);

/**
 * Spans for dispatches and attempts: `QueueModule.forRoot({ telemetry: openTelemetry() })`. The context of a dispatch travels with its
 * jobs, as the W3C writes it. Where no SDK is registered nothing is traced, and nothing travels.
 *
 * @throws MissingPackageError where `@opentelemetry/api` is not installed; InvalidOptionError
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): QueueTelemetry {
  const { continueTrace = false, tracerProvider } = checked(options);
  const api = loadApi();
  const { context, isSpanContextValid, SpanKind, trace } = api;
  const tracer = tracerProvider ? tracerProvider.getTracer('nestjs-queue') : trace.getTracer('nestjs-queue');
  return {
    current: () => valuesOf(context.active(), api),

    publishing(to): PublishTrace | undefined {
      const around = context.active();
      const name = to.queue === undefined ? 'publish' : `publish ${to.queue}`;
      const span = tracer.startSpan(name, { kind: SpanKind.PRODUCER, attributes: publishAttributes(to) }, around);
      const inside = trace.setSpan(around, span);
      const values = valuesOf(inside, api);
      if (!values) return undefined;
      return {
        values,
        run: (fn) => context.with(inside, fn),
        ended(answer) {
          span.setAttributes(publishedAttributes(to, answer));
          if (answer.error !== undefined) fail(span, answer.error, api);
          span.end();
        },
      };
    },

    processing(attempt): AttemptTrace | undefined {
      const { job, values, inProcess } = attempt;
      const attributes = processAttributes(attempt);
      const name = `process ${job.queue}`;
      let span: Span;
      let around: Context;
      if (inProcess) {
        around = context.active();
        span = tracer.startSpan(name, { kind: SpanKind.INTERNAL, attributes }, around);
      } else {
        around = contextOf(values, api);
        const sender = trace.getSpanContext(around);
        const kind = SpanKind.CONSUMER;
        if (continueTrace) {
          span = tracer.startSpan(name, { kind, attributes }, around);
        } else {
          const links = sender ? [{ context: sender }] : [];
          span = tracer.startSpan(name, { kind, attributes, links }, trace.deleteSpan(around));
        }
      }
      // Without an SDK there is nothing to show, and nothing to restore.
      if (!values && !isSpanContextValid(span.spanContext())) return undefined;
      const inside = trace.setSpan(around, span);
      let handledAt: number | undefined;
      return {
        run: (fn) => context.with(inside, fn),
        handled: () => {
          handledAt = performance.now();
        },
        ended(report) {
          span.setAttributes(processedAttributes(report));
          const { error, outcome, hookError } = report;
          if (isFailure(report)) fail(span, error ?? new Error(`The job ended as ${outcome}.`), api, handledAt);
          if (hookError !== undefined) span.recordException(asException(hookError), handledAt);
          span.end(handledAt);
        },
      };
    },
  };
}

function fail(span: Span, error: unknown, { SpanStatusCode }: Api, at?: number): void {
  const exception = asException(error);
  span.recordException(exception, at);
  span.setStatus({ code: SpanStatusCode.ERROR, message: exception.message });
}

/** Without the passwords of URLs, as they turn up in the errors of drivers: spans leave the house. */
function asException(thrown: unknown): { name: string; message: string; stack?: string; code?: string | number } {
  const { name, message, stack, code } = toError(thrown) as Error & { readonly code?: unknown };
  return {
    name,
    message: withoutSecrets(String(message)),
    ...(typeof stack === 'string' && { stack: withoutSecrets(stack) }),
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
  };
}

function checked(options: OpenTelemetryOptions): OpenTelemetryOptions {
  for (const key of Object.keys(options)) {
    if (KNOWN.has(key)) continue;
    throw new InvalidOptionError(`openTelemetry() has no option "${key}". There are: ${[...KNOWN].join(', ')}.`);
  }
  const { continueTrace, tracerProvider } = options;
  if (continueTrace !== undefined && typeof continueTrace !== 'boolean') {
    throw new InvalidOptionError(
      `openTelemetry(): continueTrace is ${describe(continueTrace)}. Give true or false, or leave it out.`,
    );
  }
  if (tracerProvider !== undefined && typeof tracerProvider?.getTracer !== 'function') {
    throw new InvalidOptionError(
      `openTelemetry(): tracerProvider is ${describe(tracerProvider)}. Give an SDK's tracer provider, or leave it out.`,
    );
  }
  return options;
}
