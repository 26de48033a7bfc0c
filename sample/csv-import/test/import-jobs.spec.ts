import './own-data.js';
import { describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chunksOf } from '../src/csv/csv-file.js';
import { ImportChunk } from '../src/imports/import-chunk.job.js';
import { ImportFinished, ImportSucceeded } from '../src/imports/import-callbacks.js';
import type { ImportNotes } from '../src/imports/import-notes.js';
import type { People } from '../src/people/people.js';
import { settings } from '../src/settings.js';
import { csv } from './csv.js';

/** Without a module: the job, and what it is given. */
describe('the jobs of an import by themselves', () => {
  const stored: [number, number][] = [];
  const people = {
    store: async (_: string, firstRow: number, rows: readonly unknown[]) => void stored.push([firstRow, rows.length]),
  } as unknown as People;
  const said: string[] = [];
  const notes = {
    add: async (_: string, callback: string, text: string) => void said.push(`${callback}: ${text}`),
  } as unknown as ImportNotes;

  it('import the rows of their part of the file', async () => {
    const path = join(settings.uploads, 'people.csv');
    writeFileSync(path, csv(5));
    for (const chunk of await chunksOf(path, 2)) {
      const job = new ImportChunk('people.csv', chunk).withFakeQueueInteractions();
      await job.handle(people);
      job.assertNotFailed().assertNotReleased();
    }
    expect(stored).toEqual([
      [1, 2],
      [3, 2],
      [5, 1],
    ]);
  });

  it('say which rows cannot be read', async () => {
    const job = new ImportChunk('nowhere.csv', {
      firstRow: 3,
      lastRow: 4,
      start: 0,
      end: 10,
    }).withFakeQueueInteractions();
    expect(job.displayName()).toBe('ImportChunk rows 3 to 4');
    await expect(job.handle(people)).rejects.toThrow(/^rows 3 to 4 cannot be read: .*ENOENT/);
  });

  it('note how they found the batch', async () => {
    const [succeeded] = new ImportSucceeded('people.csv').withFakeBatch({ totalJobs: 3, pendingJobs: 0 });
    await succeeded.handle(notes);
    const [finished, batch] = new ImportFinished('people.csv').withFakeBatch({
      totalJobs: 3,
      pendingJobs: 1,
      failedJobs: 1,
    });
    await finished.handle(notes);
    expect(said).toEqual(['then: 3 of 3 chunks are in', 'finally: 3 chunks have ended, 1 failed']);
    expect([batch.hasFailures(), batch.cancelled(), batch.added]).toEqual([true, false, []]);
  });
});
