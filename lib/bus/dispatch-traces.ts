import type { QueueConnection } from '../connections/queue-connection.js';
import { BulkDispatchError } from './bulk-dispatch-error.js';
import type { PublishAnswer, Publishing, PublishTrace, QueueTelemetry, TraceValues } from '../contracts/telemetry.js';

/** What a job carries of the trace that sends it: asked once for each, when it is known where it goes. */
export type Carry = (
  connection: Pick<QueueConnection, 'name' | 'driver' | 'inProcess'>,
  queue: string,
  id: string,
  name: string,
) => TraceValues | undefined;

/** The jobs of a dispatch that go to one queue. */
interface Sent {
  readonly trace: PublishTrace | undefined;
  /** Their places among those that were dispatched. */
  readonly places: number[];
}

/** Traces dispatches by what the module was given for it, which never throws. */
export class DispatchTraces {
  constructor(private readonly telemetry: Pick<QueueTelemetry, 'publishing' | 'current'>) {}

  /** What a job is to carry that is sent by what runs around the caller. */
  current(): TraceValues | undefined {
    return this.telemetry.current();
  }

  /**
   * Prepares a dispatch and sends it, the latter inside its trace where it goes to one queue.
   *
   * @returns what `send` resolves with: a receipt or `null`, or a list of them
   * @throws what either throws
   */
  async dispatch<P, R>(
    kind: 'job' | 'bulk',
    prepare: (carry: Carry) => P,
    send: (prepared: P) => Promise<R>,
  ): Promise<R> {
    const sent = new Map<string, Sent>();
    let place = 0;
    const carry: Carry = (connection, queue, id, name) => {
      const at = place++;
      // There is no way between the two: the attempt belongs to whatever is traced around the dispatch.
      if (connection.inProcess) return undefined;
      const key = `${connection.name}\n${queue}`;
      let one = sent.get(key);
      if (!one) {
        const to = { kind, connection: connection.name, driver: connection.driver, queue };
        one = { trace: this.telemetry.publishing(kind === 'job' ? { ...to, id, name } : to), places: [] };
        sent.set(key, one);
      }
      one.places.push(at);
      return one.trace?.values;
    };
    const end = (answerOf: (places: readonly number[]) => Omit<PublishAnswer, 'jobs'>): void => {
      for (const { trace, places } of sent.values()) trace?.ended({ jobs: places.length, ...answerOf(places) });
    };
    let answer: R;
    try {
      const prepared = prepare(carry);
      const [only, ...others] = sent.values();
      answer = await (only?.trace && others.length === 0 ? only.trace.run(() => send(prepared)) : send(prepared));
    } catch (error) {
      end((places) => failureAmong(error, places));
      throw error;
    }
    const receipts: readonly unknown[] = Array.isArray(answer) ? answer : [answer];
    end((places) => (places.every((at) => receipts[at] === null) ? { skipped: true } : {}));
    return answer;
  }

  /** Stores and sends a batch, or adds to one, inside a trace. @throws what `send` throws */
  async batch<R>(to: Omit<Publishing, 'kind'>, jobs: number, send: () => Promise<R>): Promise<R> {
    const trace = this.telemetry.publishing({ ...to, kind: 'batch' });
    if (!trace) return send();
    try {
      const answer = await trace.run(send);
      trace.ended({ jobs });
      return answer;
    } catch (error) {
      trace.ended({ jobs, error });
      throw error;
    }
  }
}

/** Of a bulk that was not stored as a whole, what holds for those in these places. */
function failureAmong(error: unknown, places: readonly number[]): Omit<PublishAnswer, 'jobs'> {
  if (!(error instanceof BulkDispatchError)) return { error };
  const own = error.failures.find(({ index }) => places.includes(index));
  return own ? { error: own.error } : {};
}
