import { describe, expect, it } from '@jest/globals';
import { InvalidOptionError, Job, NotAJobError, Queueable, UnserializableError, type Batch } from 'nestjs-queue';
import { fakeBatch } from 'nestjs-queue/testing';
import { StoredBatch } from '../../../lib/bus/stored-batch.js';
import { PendingBatch } from '../../../lib/bus/pending-batch.js';

@Job()
class Import extends Queueable {
  constructor(readonly from: unknown = 1) {
    super();
  }
  async handle(): Promise<void> {
    const batch = await this.batch();
    if (batch?.cancelled()) return;
    if (this.from === 1) await batch?.add([new Import(2), [new Import(3), new Import(4)]]);
    else await batch?.cancel();
  }
}

describe('withFakeBatch', () => {
  it('gives the job itself and a batch that is empty, just created and still open', async () => {
    const job = new Import();
    const before = Date.now();
    const [same, batch] = job.withFakeBatch();
    expect(same).toBe(job);
    expect(batch).toMatchObject({
      name: '',
      totalJobs: 0,
      pendingJobs: 0,
      failedJobs: 0,
      failedJobIds: [],
      options: {},
      cancelledAt: null,
      finishedAt: null,
      added: [],
    });
    expect(batch.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(batch.createdAt.getTime()).toBeGreaterThanOrEqual(before);
    expect([
      batch.processedJobs(),
      batch.progress(),
      batch.finished(),
      batch.cancelled(),
      batch.hasFailures(),
      batch.allowsFailures(),
      batch.deleted(),
    ]).toEqual([0, 0, false, false, false, false, false]);
    await expect(job.batch()).resolves.toBe(batch);
    await expect(batch.fresh()).resolves.toBe(batch);
  });

  it('takes what is said of it', () => {
    const data = {
      id: 'a',
      name: 'Import CSV',
      totalJobs: 8,
      pendingJobs: 3,
      failedJobs: 1,
      failedJobIds: ['x'],
      options: { allowFailures: true, rows: 5 },
      createdAt: new Date(1),
      cancelledAt: new Date(2),
      finishedAt: new Date(3),
    };
    const [, batch] = new Import().withFakeBatch(data);
    expect(batch).toMatchObject(data);
    expect([
      batch.processedJobs(),
      batch.progress(),
      batch.finished(),
      batch.cancelled(),
      batch.hasFailures(),
      batch.allowsFailures(),
    ]).toEqual([5, 63, true, true, true, true]);
    expect(new Import().withFakeBatch({ name: undefined, totalJobs: 2 })[1]).toMatchObject({ name: '', totalJobs: 2 });
  });

  it('refuses what a batch does not have', () => {
    expect(() => new Import().withFakeBatch({ totalJob: 3 })).toThrow(
      'withFakeBatch() was given "totalJob", which a batch does not have. Give some of id, name, totalJobs, pendingJobs, failedJobs, failedJobIds, options, createdAt, cancelledAt, finishedAt, added.',
    );
  });

  it('writes down what is added, and counts it', async () => {
    const [job, batch] = new Import().withFakeBatch({ totalJobs: 1, pendingJobs: 1 });
    await job.handle();
    expect(batch.added).toEqual([new Import(2), new Import(3), new Import(4)]);
    expect([batch.totalJobs, batch.pendingJobs]).toEqual([4, 4]);
    await batch.add([false as never, new Import(5), []]);
    expect([batch.added.length, batch.totalJobs]).toEqual([4, 5]);
  });

  it('keeps the moment of its cancellation, and does not finish by it', async () => {
    const [job, batch] = new Import(2).withFakeBatch();
    await job.handle();
    const { cancelledAt } = batch;
    expect(batch.cancelled()).toBe(true);
    expect(batch.finished()).toBe(false);
    await batch.cancel();
    expect(batch.cancelledAt).toBe(cancelledAt);
    await batch.delete();
    expect(batch.deleted()).toBe(true);
  });

  it.each([
    [{}, true],
    [{ cancelledAt: new Date() }, false],
    [{ finishedAt: new Date() }, false],
  ])('batching() follows it: %p', async (data, open) => {
    const [job] = new Import().withFakeBatch(data);
    await expect(job.batching()).resolves.toBe(open);
  });

  it('combines with faked interactions in either order', async () => {
    const [first, one] = new Import().withFakeQueueInteractions().withFakeBatch();
    await expect(first.batch()).resolves.toBe(one);
    expect(first.context!.batchId).toBe(one.id);
    await expect(first.context!.batch()).resolves.toBe(one);
    const [job, batch] = new Import().withFakeBatch();
    job.withFakeQueueInteractions().release(5);
    await expect(job.batch()).resolves.toBe(batch);
    job.assertReleased(5);
  });

  it('leaves what travels as it was', () => {
    expect(new Import(7).withFakeBatch()[0]).toEqual(new Import(7));
    expect(Object.keys(new Import(7).withFakeBatch()[0])).toEqual(['from']);
  });
});

describe('what a fake batch refuses', () => {
  const refused = async (jobs: readonly unknown[]): Promise<unknown> => {
    const [, batch] = new Import().withFakeBatch();
    const error: unknown = await batch.add(jobs as Import[]).catch((one: unknown) => one);
    expect(batch.added).toEqual([]);
    expect(batch.totalJobs).toBe(0);
    return error;
  };

  it('is what a real one refuses', async () => {
    expect(await refused([new Import(), new Import(() => 1)])).toBeInstanceOf(UnserializableError);
    expect(await refused([null, new Import(() => 1)])).toMatchObject({
      message: expect.stringMatching(/^Member number 0 of the batch: Import\.from is a function\./),
    });
    expect(await refused([[new Import(), new Import(() => 1)]])).toMatchObject({
      message: expect.stringMatching(/^Member number 0 of the batch: Step number 1 of the chain: Import\.from /),
    });
    expect(await refused([{ handle: () => undefined }])).toBeInstanceOf(NotAJobError);
    const inner = new PendingBatch([new Import(() => 1)], () => Promise.reject(new Error('not sent')));
    expect(await refused([inner])).toMatchObject({
      message: expect.stringMatching(/^Member number 0 of the batch: Member number 0 of the batch: Import\.from /),
    });
    inner.add(inner);
    expect(await refused([inner])).toBeInstanceOf(Error);
  });

  it('is anything once it has finished', async () => {
    const batch = fakeBatch({ id: 'b1', finishedAt: new Date() });
    await expect(batch.add([new Import()])).rejects.toMatchObject({
      code: 'ERR_QUEUE_BATCH_FINISHED',
      message:
        'The batch b1 has finished: every member of it has ended. Add members while one of them runs, or dispatch a new batch.',
    });
    expect(() => fakeBatch({ nmae: 'x' } as object)).toThrow(InvalidOptionError);
  });
});

describe('toJSON of a fake batch', () => {
  it('is that of a real one', () => {
    const record = {
      id: 'a',
      name: 'n',
      totalJobs: 4,
      pendingJobs: 1,
      failedJobs: 1,
      failedJobIds: ['x'],
      createdAt: 5,
      sealed: true,
      options: JSON.stringify({ v: 1, allowFailures: true, given: { rows: 3 }, callbacks: {} }),
    };
    const real: Batch = new StoredBatch(record as never, {} as never);
    const { id, name, totalJobs, pendingJobs, failedJobs, failedJobIds, options, createdAt } = real;
    const fake = fakeBatch({ id, name, totalJobs, pendingJobs, failedJobs, failedJobIds, options, createdAt });
    expect(JSON.parse(JSON.stringify(fake))).toEqual(JSON.parse(JSON.stringify(real)));
    expect(Object.keys(fake.toJSON())).toEqual(Object.keys(real.toJSON()));
    expect(fake.allowsFailures()).toBe(true);
  });
});
