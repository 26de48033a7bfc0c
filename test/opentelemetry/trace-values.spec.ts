import { afterEach, describe, expect, it } from '@jest/globals';
import * as api from '@opentelemetry/api';
import { openTelemetry } from '../../lib/opentelemetry/open-telemetry.js';
import { contextOf, valuesOf } from '../../lib/opentelemetry/trace-values.js';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';
const TRACEPARENT = `00-${traceId}-${spanId}-01`;
const span = { traceId, spanId, traceFlags: 1, isRemote: true };
const { trace, propagation, ROOT_CONTEXT, createTraceState } = api;
const within = (more: Partial<api.SpanContext> = {}) => trace.setSpanContext(ROOT_CONTEXT, { ...span, ...more });
const read = (values: object) => trace.getSpanContext(contextOf(values as Record<string, string>, api));

afterEach(() => propagation.disable());

describe('writing a context', () => {
  it('writes what the W3C says', () => {
    expect(valuesOf(within(), api)).toEqual({ traceparent: TRACEPARENT });
    expect(valuesOf(within({ traceFlags: 0 }), api)).toEqual({ traceparent: `00-${traceId}-${spanId}-00` });
    expect(valuesOf(within({ traceState: createTraceState('a=1,b=2') }), api)).toEqual({
      traceparent: TRACEPARENT,
      tracestate: 'a=1,b=2',
    });
  });

  it('writes nothing where there is nothing', () => {
    expect(valuesOf(ROOT_CONTEXT, api)).toBeUndefined();
    expect(valuesOf(within({ traceId: '0'.repeat(32) }), api)).toBeUndefined();
  });

  it('leaves out what is too long for a job', () => {
    propagation.setGlobalPropagator({
      fields: () => ['baggage'],
      inject: (_context, carrier) => void ((carrier as Record<string, string>)['baggage'] = 'x'.repeat(9_000)),
      extract: (context) => context,
    });
    expect(valuesOf(within(), api)).toEqual({ traceparent: TRACEPARENT });
    expect(valuesOf(ROOT_CONTEXT, api)).toBeUndefined();
  });
});

describe('reading a context', () => {
  it('reads what it has written', () => {
    expect(read({ traceparent: TRACEPARENT })).toEqual(span);
    expect(read({ traceparent: TRACEPARENT, tracestate: 'a=1' })!.traceState!.serialize()).toBe('a=1');
    expect(contextOf(undefined, api)).toBe(ROOT_CONTEXT);
  });

  it('reads what a later version may add', () => {
    expect(read({ traceparent: `cc-${traceId}-${spanId}-03-more` })).toEqual(span);
  });

  it.each([
    ['no text', 7],
    ['empty', ''],
    ['another version', `ff-${traceId}-${spanId}-01`],
    ['more than there is', `${TRACEPARENT}-more`],
    ['too short', `00-${traceId.slice(1)}-${spanId}-01`],
    ['no trace', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['no span', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['capitals', TRACEPARENT.toUpperCase()],
  ])('takes nothing from what is none: %s', (_what, traceparent) => {
    expect(read({ traceparent, tracestate: 'a=1' })).toBeUndefined();
  });
});

describe('openTelemetry()', () => {
  it('traces nothing, and lets nothing travel, where no SDK is registered', () => {
    const telemetry = openTelemetry();
    const job = { queue: 'default', id: '1', name: 'job', attempts: 1, connection: 'memory' } as never;
    expect(telemetry.publishing({ kind: 'job', queue: 'default' })).toBeUndefined();
    expect(telemetry.processing({ job, driver: 'memory', values: undefined, inProcess: false })).toBeUndefined();
    expect(telemetry.current()).toBeUndefined();
  });

  it.each([
    [{ continue: true }, 'openTelemetry() has no option "continue". There are: continueTrace, tracerProvider.'],
    [{ continueTrace: 'yes' }, 'continueTrace is '],
    [{ tracerProvider: {} }, 'tracerProvider is '],
  ])('refuses what it does not know: %j', (options, message) => {
    expect(() => openTelemetry(options as never)).toThrow(message);
  });
});
