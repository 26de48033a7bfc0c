import { Inject } from '@nestjs/common';
import { Job, Queueable } from 'nestjs-queue';
import { ImportNotes } from './import-notes.js';

/** For each chunk that has failed after its last try. */
@Job()
export class ChunkFailed extends Queueable {
  constructor(readonly file: string) {
    super();
  }

  async handle(@Inject() notes: ImportNotes): Promise<void> {
    const error = this.context?.error as Error;
    await notes.add(this.file, 'failed chunk', error.message);
  }
}

/** When every chunk has been imported. */
@Job()
export class ImportSucceeded extends Queueable {
  constructor(readonly file: string) {
    super();
  }

  async handle(@Inject() notes: ImportNotes): Promise<void> {
    const batch = await this.batch();
    await notes.add(this.file, 'then', `${batch?.processedJobs()} of ${batch?.totalJobs} chunks are in`);
  }
}

/** When every chunk has ended, in whatever way. */
@Job()
export class ImportFinished extends Queueable {
  constructor(readonly file: string) {
    super();
  }

  async handle(@Inject() notes: ImportNotes): Promise<void> {
    const batch = await this.batch();
    await notes.add(this.file, 'finally', `${batch?.totalJobs} chunks have ended, ${batch?.failedJobs} failed`);
  }
}
