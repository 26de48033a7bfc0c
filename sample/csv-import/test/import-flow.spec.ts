import './own-data.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { Readable } from 'node:stream';
import { drain, FakeClock } from 'nestjs-queue/testing';
import { AppModule } from '../src/app.module.js';
import { ImportsController } from '../src/imports/imports.controller.js';
import { Imports } from '../src/imports/imports.js';
import { csv } from './csv.js';

describe('an import, on SQLite', () => {
  const clock = new FakeClock();
  let app: TestingModule;
  let imports: Imports;

  beforeAll(async () => {
    app = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app.useLogger(false);
    imports = app.get(Imports);
  });
  afterAll(() => app.close());

  const report = (id: string) => app.get(ImportsController).report(id);
  const outcomes = async () => (await drain(app, { clock })).map(({ name, outcome }) => `${name} ${outcome}`);
  const sum = (counts: Record<string, number>) => Object.values(counts).reduce((all, one) => all + one, 0);

  it('brings every row in, once, and calls back', async () => {
    const batch = await imports.start('people.csv', Readable.from([csv(5)]));
    expect(await outcomes()).toEqual([
      'ImportChunk done',
      'ImportChunk done',
      'ImportChunk done',
      'ImportSucceeded done',
      'ImportFinished done',
    ]);
    const { imported, bad, notes } = await report(batch.id);
    expect([sum(imported), bad]).toEqual([5, {}]);
    expect(notes.map(({ callback, text }) => `${callback}: ${text}`)).toEqual([
      'then: 3 of 3 chunks are in',
      'finally: 3 chunks have ended, 0 failed',
    ]);
    const ended = await imports.find(batch.id);
    expect([ended.progress(), ended.finished()]).toEqual([100, true]);
  });

  it('leaves bad rows out and says why', async () => {
    const batch = await imports.start('people.csv', Readable.from([csv(3).replace('person2@example.com', 'nowhere')]));
    await drain(app, { clock });
    const { imported, bad } = await report(batch.id);
    expect([sum(imported), bad]).toEqual([2, { 'no e-mail address': 1 }]);
  });

  it('goes on without a part that cannot be read, which can be mended', async () => {
    const whole = Buffer.from(csv(4));
    const broken = Buffer.from(whole);
    broken[whole.indexOf('Person 3')] = 0xff;
    const batch = await imports.start('people.csv', Readable.from([broken]));
    expect((await outcomes()).toSorted()).toEqual([
      'ChunkFailed done',
      'ImportChunk done',
      'ImportChunk failed',
      'ImportChunk retry',
      'ImportFinished done',
    ]);
    expect(await imports.find(batch.id)).toMatchObject({ failedJobs: 1, pendingJobs: 1, cancelledAt: null });

    expect(await imports.mend(batch.id, Readable.from([whole]))).toBe(1);
    expect(await outcomes()).toEqual(['ImportChunk done', 'ImportSucceeded done']);
    expect(sum((await report(batch.id)).imported)).toBe(4);
    expect((await imports.find(batch.id)).failedJobs).toBe(0);
  });
});
