import { describe, expect, it } from '@jest/globals';
import type { FailedJob } from '../../../lib/contracts/failed-job-store.js';
import type { JobEnvelope } from '../../../lib/contracts/job-envelope.js';
import { JobRetryRequested } from '../../../lib/contracts/queue-events.js';
import { FailedJobs } from '../../../lib/operations/failed-jobs.js';
import { RetryIncompleteError } from '../../../lib/operations/retry-failed.js';
import { InvalidOptionError } from '../../../lib/support/queue-error.js';
import { FakeClock } from '../../../lib/testing/fake-clock.js';
import { openManager } from '../connections/open-manager.js';

const NOW = Date.UTC(2030, 0, 1);
const HOUR = 3_600_000;
const idOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

function failure(n: number, more: Partial<FailedJob> = {}): FailedJob {
  const id = idOf(n);
  const envelope: JobEnvelope = { v: 1, uuid: id, name: 'Send', displayName: 'Send', data: {}, createdAt: NOW };
  return {
    id,
    connection: 'memory',
    queue: 'mails',
    name: 'Send',
    displayName: 'Send',
    payload: JSON.stringify(envelope),
    exception: 'Error: no',
    failedAt: new Date(NOW + n),
    ...more,
  };
}

async function open(
  records: readonly FailedJob[],
  refresh: (envelope: JobEnvelope) => Promise<number | undefined> = async () => undefined,
) {
  const clock = new FakeClock(NOW);
  const opened = openManager({ default: 'memory' }, { clock });
  const { manager, hub } = opened;
  const store = await manager.failed();
  for (const one of records) await store.record([one]);
  const queued = async (queue = 'mails') => {
    const { jobs } = await (await manager.get('memory').inspection()).page(queue, 'pending', { limit: 1_000 });
    return jobs.map(({ id, body, attempts }) => ({ id, body, attempts }));
  };
  const failed = new FailedJobs({ connections: manager, hub, refreshRetryUntil: refresh });
  return { ...opened, clock, store, queued, failed };
}

describe('FailedJobs', () => {
  it('lists newest first, page after page, with a limit and a filter', async () => {
    const records = Array.from({ length: 250 }, (_, n) => failure(n, { queue: n % 2 ? 'odd' : 'even' }));
    const { failed } = await open(records);
    const all = await failed.all();
    expect(all.map((one) => one.id)).toEqual(records.map((one) => one.id).reverse());
    expect(await failed.all({ limit: 130 })).toHaveLength(130);
    const odd = await failed.all({ queue: 'odd', limit: 2 });
    expect(odd.map((one) => one.id)).toEqual([idOf(249), idOf(247)]);
    await expect(failed.count()).resolves.toBe(250);
    await expect(failed.count({ queue: 'even' })).resolves.toBe(125);
    await expect(failed.all({ connection: 'redis' })).resolves.toEqual([]);
    await expect(failed.all({ limit: 0 })).rejects.toThrow(InvalidOptionError);
  });

  it('finds, forgets, flushes and prunes', async () => {
    const { failed } = await open([
      failure(1, { failedAt: new Date(NOW - 24 * HOUR) }),
      failure(2, { failedAt: new Date(NOW - 24 * HOUR - 1) }),
      failure(3, { failedAt: new Date(NOW - 2 * HOUR) }),
      failure(4, { failedAt: new Date(NOW) }),
    ]);
    await expect(failed.find(idOf(1))).resolves.toMatchObject({ id: idOf(1) });
    await expect(failed.find('nope')).resolves.toBeNull();
    await expect(failed.prune()).resolves.toBe(1);
    await expect(failed.find(idOf(1))).resolves.not.toBeNull();
    await expect(failed.flush(24)).resolves.toBe(1);
    await expect(failed.flush(2)).resolves.toBe(1);
    await expect(failed.forget(idOf(4))).resolves.toBe(true);
    await expect(failed.forget(idOf(4))).resolves.toBe(false);
    await expect(failed.flush()).resolves.toBe(0);
    for (const hours of [-1, NaN, Infinity, '3' as unknown as number])
      await expect(failed.prune(hours)).rejects.toThrow(/hours is/);
  });
});

describe('retry', () => {
  it('sends the job again under its id, raises JobRetryRequested and no queue events, and forgets it', async () => {
    const record = failure(1);
    const { failed, hub, queued } = await open([record]);
    const heard: object[] = [];
    hub.onEvery((event) => heard.push(event));
    await expect(failed.retry(record.id)).resolves.toBe(true);
    expect(heard).toEqual([new JobRetryRequested(record)]);
    const body = JSON.stringify({ ...(JSON.parse(record.payload) as object), retried: NOW + 1 });
    await expect(queued()).resolves.toEqual([{ id: record.id, body, attempts: 0 }]);
    await expect(failed.find(record.id)).resolves.toBeNull();
    await expect(failed.retry(record.id)).resolves.toBe(false);
    await expect(failed.retry('nope')).resolves.toBe(false);
  });

  it('asks the job anew until when it may be tried', async () => {
    const stale = {
      v: 1,
      uuid: idOf(1),
      name: 'Send',
      displayName: 'Send',
      data: { a: 1 },
      createdAt: NOW,
      retryUntil: NOW - 1,
    };
    const answers: Record<string, number | undefined> = { [idOf(1)]: NOW + 60_000, [idOf(2)]: undefined };
    const { failed, queued } = await open(
      [1, 2, 3].map((n) => failure(n, { payload: JSON.stringify({ ...stale, uuid: idOf(n) }) })),
      async (envelope) => {
        if (envelope.uuid === idOf(3)) throw new Error('unknown class');
        return answers[envelope.uuid];
      },
    );
    await expect(failed.retryAll()).resolves.toBe(3);
    const bodies = (await queued()).map(({ body }) => JSON.parse(body) as JobEnvelope);
    expect(bodies.map((one) => [one.uuid, one.retryUntil])).toEqual([
      [idOf(1), NOW + 60_000],
      [idOf(2), undefined],
      [idOf(3), undefined],
    ]);
    expect(bodies[0]).toEqual({ ...stale, retryUntil: NOW + 60_000, retried: NOW + 1 });
  });

  it('keeps a moment that still lies ahead where the job does not say', async () => {
    const payload = '{ "v":1, "name":"Send", "retryUntil":' + String(NOW + 1) + ' }';
    const { failed, queued } = await open([failure(1, { payload })]);
    await expect(failed.retry(idOf(1))).resolves.toBe(true);
    const [job] = await queued();
    expect(JSON.parse(job!.body)).toEqual({ v: 1, name: 'Send', retryUntil: NOW + 1, retried: NOW + 1 });
  });

  it.each(['', 'not { JSON', '[1]', '{"v":2}', '\u0000\ud800'])(
    'sends a body that cannot be read as it is: %j',
    async (payload) => {
      const { failed, queued } = await open([failure(1, { payload })], () => {
        throw new Error('must not be asked');
      });
      await expect(failed.retry(idOf(1))).resolves.toBe(true);
      await expect(queued()).resolves.toMatchObject([{ id: idOf(1), body: payload }]);
    },
  );

  it('counts a job that is in its queue already as sent', async () => {
    const record = failure(1);
    const { failed, manager, queued } = await open([record]);
    await manager.get('memory').pushRaw(record.payload, 'mails');
    await expect(failed.retry(record.id)).resolves.toBe(true);
    await expect(queued()).resolves.toHaveLength(1);
    await expect(failed.count()).resolves.toBe(0);
  });

  it('retries all of a queue, oldest failure first', async () => {
    const { failed, queued } = await open([failure(1), failure(2), failure(3, { queue: 'other' })]);
    await expect(failed.retryAll({ queue: 'mails' })).resolves.toBe(2);
    expect((await queued()).map(({ id }) => id)).toEqual([idOf(1), idOf(2)]);
    await expect(failed.count()).resolves.toBe(1);
    await expect(failed.retryAll({ queue: 'none' })).resolves.toBe(0);
  });

  it('keeps the record of what could not be sent, and goes on with the rest', async () => {
    const gone = failure(1, { connection: 'gone' });
    const { failed, queued } = await open([gone, failure(2)]);
    await expect(failed.retry(gone.id)).rejects.toMatchObject({ code: 'ERR_QUEUE_UNKNOWN_CONNECTION' });
    const error = await failed.retryAll().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RetryIncompleteError);
    expect(error).toMatchObject({ retried: 1, total: 2, code: 'ERR_QUEUE_RETRY_INCOMPLETE' });
    expect((error as Error).message).toContain('[gone]');
    await expect(queued()).resolves.toHaveLength(1);
    await expect(failed.find(gone.id)).resolves.not.toBeNull();
    await expect(failed.retryAll()).rejects.toMatchObject({ code: 'ERR_QUEUE_UNKNOWN_CONNECTION' });
  });
});
