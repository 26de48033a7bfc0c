import type { Context, SpanContext } from '@opentelemetry/api';
import type { TraceValues } from '../contracts/telemetry.js';
import type { Api } from './api.js';

/** Of any version but ff, which is none; later ones may have more behind the flags. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** More than the W3C lets a trace and its baggage have: what is longer is not worth a job's room in its store. */
const MOST_CHARS = 8_192;

/**
 * What a context is as text: what the application's own propagator writes, and the W3C's `traceparent` and `tracestate` where that does
 * not write them. `undefined` where there is nothing.
 */
export function valuesOf(context: Context, { propagation, trace, isSpanContextValid }: Api): TraceValues | undefined {
  const span = trace.getSpanContext(context);
  const traced = span && isSpanContextValid(span) ? w3c(span) : undefined;
  const carrier: Record<string, string> = {};
  propagation.inject(context, carrier);
  const written = Object.entries(carrier);
  const length = written.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return written.length === 0 || length > MOST_CHARS ? traced : { ...traced, ...carrier };
}

/** The context that was written down so: the producer's span in it is a remote one. */
export function contextOf(values: TraceValues | undefined, api: Api): Context {
  const { propagation, trace, ROOT_CONTEXT, isSpanContextValid } = api;
  if (!values) return ROOT_CONTEXT;
  const context = propagation.extract(ROOT_CONTEXT, values);
  const span = trace.getSpanContext(context);
  if (span && isSpanContextValid(span)) return context;
  const read = readW3c(values, api);
  return read ? trace.setSpanContext(context, read) : context;
}

function w3c({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceValues {
  const state = traceState?.serialize();
  return {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    ...(state && { tracestate: state }),
  };
}

function readW3c(values: TraceValues, { createTraceState, isSpanContextValid }: Api): SpanContext | undefined {
  const { traceparent, tracestate } = values as Readonly<Record<string, unknown>>;
  const [, version, traceId, spanId, flags, more] =
    (typeof traceparent === 'string' && TRACEPARENT.exec(traceparent)) || [];
  if (!traceId || !spanId || !flags || (version === '00' && more)) return undefined;
  const read: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(typeof tracestate === 'string' && { traceState: createTraceState(tracestate) }),
  };
  return isSpanContextValid(read) ? read : undefined;
}
