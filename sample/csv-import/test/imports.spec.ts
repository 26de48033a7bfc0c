import './own-data.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { BadRequestException, NotFoundException } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { readdirSync } from 'node:fs';
import { Readable } from 'node:stream';
import { fakeQueue, QueueFake } from 'nestjs-queue/testing';
import 'nestjs-queue/testing/jest';
import { AppModule } from '../src/app.module.js';
import { ImportChunk } from '../src/imports/import-chunk.job.js';
import { Imports } from '../src/imports/imports.js';
import { ImportsController } from '../src/imports/imports.controller.js';
import { settings } from '../src/settings.js';
import { csv } from './csv.js';

describe('Imports', () => {
  let app: TestingModule;
  let imports: Imports;
  let queue: QueueFake;

  beforeAll(async () => {
    app = await fakeQueue(Test.createTestingModule({ imports: [AppModule] })).compile();
    imports = app.get(Imports);
    queue = app.get(QueueFake);
  });
  beforeEach(() => queue.reset());
  afterAll(() => app.close());

  it('dispatches one batch, with a job for every two rows', async () => {
    const batch = await imports.start('people.csv', Readable.from([csv(5)]));
    expect(queue).toHaveBatched(({ options, jobs }) => options.name === 'people.csv' && jobs.length === 3);
    expect(queue).toHaveBatched([ImportChunk, ImportChunk, ImportChunk]);
    expect(queue).toHavePushed(ImportChunk, {
      times: 1,
      where: ({ chunk }) => chunk.firstRow === 5 && chunk.lastRow === 5,
    });
    expect(batch.totalJobs).toBe(3);
    expect(batch.options).toMatchObject({ rows: 5, file: expect.stringMatching(/\.csv$/) });
    await expect(app.get(ImportsController).progress(batch.id)).resolves.toMatchObject({ id: batch.id, totalJobs: 3 });
  });

  it('takes no other file, and keeps nothing of it', async () => {
    const before = readdirSync(settings.uploads);
    for (const other of ['colour,size\nred,1\n', csv(0), ''])
      await expect(imports.start('other.csv', Readable.from([other]))).rejects.toThrow(BadRequestException);
    queue.assertNothingBatched();
    expect(queue).toHaveNothingPushed();
    expect(readdirSync(settings.uploads)).toEqual(before);
  });

  it('knows of no other import', async () => {
    await expect(imports.find('nobody')).rejects.toThrow(NotFoundException);
  });
});
