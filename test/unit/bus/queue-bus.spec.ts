import { describe, expect, it } from '@jest/globals';
import { QueueBus } from '../../../lib/bus/queue-bus.js';
import { PendingDispatch } from '../../../lib/bus/pending-dispatch.js';
import type { Dispatcher } from '../../../lib/bus/dispatcher.js';
import type { DispatchOptions } from '../../../lib/bus/prepare-dispatch.js';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';

const receipt = { id: 'id', connection: 'memory', queue: 'default' };

describe('PendingDispatch', () => {
  const open = () => {
    const sent: DispatchOptions[] = [];
    return { sent, pending: new PendingDispatch((options) => (sent.push({ ...options }), Promise.resolve(receipt))) };
  };

  it('is sent with what its statement said, though nobody awaits it', async () => {
    const { sent, pending } = open();
    const manager = {};
    pending.onConnection('redis').onQueue('high').delay('1m').afterCommit().within(manager);
    expect(sent).toEqual([]);
    await Promise.resolve();
    expect(sent).toEqual([{ connection: 'redis', queue: 'high', delay: '1m', afterCommit: true, within: manager }]);
  });

  it('withoutDelay and beforeCommit say no', async () => {
    const { sent, pending } = open();
    await pending.delay(5).withoutDelay().afterCommit().beforeCommit();
    expect(sent).toEqual([{ delay: null, afterCommit: false }]);
  });

  it.each([undefined, null, 'manager'])(
    'within() refuses %p: it would be sent outside of any transaction',
    async (manager) => {
      const { pending } = open();
      expect(() => pending.within(manager as never)).toThrow(InvalidOptionError);
      await pending;
    },
  );

  it('refuses to be told more once it is sent', async () => {
    const { sent, pending } = open();
    expect(await pending).toBe(receipt);
    for (const late of ['onQueue', 'onConnection', 'delay', 'within'] as const)
      expect(() => pending[late]('x' as never)).toThrow(InvalidOptionError);
    expect(() => pending.withoutDelay()).toThrow(InvalidOptionError);
    expect(sent).toHaveLength(1);
  });
});

describe('QueueBus', () => {
  const open = (dispatch: () => Promise<typeof receipt>) => {
    const reports: string[] = [];
    const bus = new QueueBus({
      dispatcher: { dispatch, bulk: dispatch } as unknown as Dispatcher,
      inProcess: () => () => Promise.resolve('ran'),
      afterResponse: (fn) => void fn(),
      report: (message) => void reports.push(message),
      batches: () => {
        throw new Error('no batches here');
      },
    });
    return { bus, reports };
  };
  const job = { handle() {} };

  it('flush waits for everything on its way, however it ends', async () => {
    let end!: () => void;
    const gate = new Promise<void>((resolve) => (end = resolve));
    let failures = 0;
    const { bus } = open(async () => {
      await gate;
      throw new Error('down');
    });
    bus.dispatch(job).then(undefined, () => (failures += 1));
    bus.bulk([job]).catch(() => (failures += 1));
    let flushed = false;
    const flushing = bus.flush().then(() => (flushed = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(flushed).toBe(false);
    end();
    await flushing;
    await Promise.resolve();
    expect(failures).toBe(2);
    await bus.flush();
  });

  it('dispatchSync runs an inline function as it is', async () => {
    const { bus } = open(() => Promise.resolve(receipt));
    expect(await bus.dispatchSync(async () => 42)).toBe(42);
    expect(await bus.dispatchSync(job)).toBe('ran');
  });

  it('tells of an inline function that failed after the response, by name', async () => {
    const { bus, reports } = open(() => Promise.resolve(receipt));
    bus.dispatchAfterResponse(function sendMail() {
      throw new Error('no');
    });
    bus.dispatchAfterResponse(() => Promise.reject(new Error('no')));
    await bus.flush();
    expect(reports).toEqual(['sendMail failed after the response', 'An inline function failed after the response']);
  });
});
