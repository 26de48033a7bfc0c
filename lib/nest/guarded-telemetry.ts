import type { AttemptTrace, PublishTrace, QueueTelemetry, TraceValues } from '../contracts/telemetry.js';
import { InvalidOptionError } from '../support/queue-error.js';

const ignored = (): void => {};
const VERBS = ['publishing', 'processing', 'current'] as const;

/** @throws InvalidOptionError for what traces nothing */
export function checkTelemetryOption(telemetry: unknown): void {
  if (telemetry === undefined) return;
  const given = (typeof telemetry === 'object' && telemetry !== null ? telemetry : {}) as Record<string, unknown>;
  if (VERBS.every((verb) => typeof given[verb] === 'function')) return;
  throw new InvalidOptionError(
    "QueueModule: telemetry is nothing that traces. Give openTelemetry() of 'nestjs-queue/opentelemetry', or an object with publishing, processing and current.",
  );
}

/** The same telemetry, which cannot alter what becomes of a job: whatever goes wrong in it is reported, once for each kind, and left out. */
export function guardedTelemetry(
  telemetry: QueueTelemetry,
  report: (message: string, error: unknown) => void,
): QueueTelemetry {
  const said = new Set<string>();
  const failed = (what: string, error: unknown): undefined => {
    if (said.has(what)) return undefined;
    said.add(what);
    report(`The module's telemetry failed in ${what}(); jobs go on without it, and this is said once`, error);
    return undefined;
  };
  const tried = <R>(what: string, fn: () => R): R | undefined => {
    try {
      const answer: unknown = fn();
      // Nobody waits for it, and a rejection that nobody looks at would end the process.
      if (answer instanceof Promise) answer.catch((error: unknown) => failed(what, error));
      return answer as R;
    } catch (error) {
      return failed(what, error);
    }
  };
  const around =
    (trace: Pick<AttemptTrace, 'run'>) =>
    <R>(fn: () => R): R => {
      let ran: { readonly value: R } | { readonly error: unknown } | undefined;
      const once = (): R => {
        if (!ran) {
          try {
            ran = { value: fn() };
          } catch (error) {
            ran = { error };
          }
        }
        if ('error' in ran) throw ran.error;
        return ran.value;
      };
      try {
        const answer: unknown = trace.run(once);
        // One derived from the function's own, by `finally()` or an async function: nobody waits for it, and it rejects with that one.
        if (answer instanceof Promise && !(ran && 'value' in ran && ran.value === answer)) answer.catch(ignored);
      } catch (error) {
        if (!ran || !('error' in ran) || ran.error !== error) failed('run', error);
      }
      return once();
    };
  return {
    publishing(to): PublishTrace | undefined {
      return tried('publishing', () => {
        const trace = telemetry.publishing(to);
        if (!trace) return undefined;
        const ended: PublishTrace['ended'] = (answer) => tried('ended', () => trace.ended(answer));
        return { values: texts(trace.values), run: around(trace), ended };
      });
    },
    processing(attempt): AttemptTrace | undefined {
      return tried('processing', () => {
        const trace = telemetry.processing(attempt);
        if (!trace) return undefined;
        return {
          run: around(trace),
          handled: () => tried('handled', () => trace.handled()),
          ended: (end) => tried('ended', () => trace.ended(end)),
        };
      });
    },
    current: () => tried('current', () => texts(telemetry.current())),
  };
}

/** What is no text could not be written down, or would make the job one that cannot be read. */
function texts(values: TraceValues | undefined): TraceValues | undefined {
  if (!values) return undefined;
  const entries = Object.entries(values).filter(([, value]: [string, unknown]) => typeof value === 'string');
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}
