import { Inject } from '@nestjs/common';
import { join } from 'node:path';
import { Backoff, Job, Middleware, Queueable, SkipIfBatchCancelled, Tries } from 'nestjs-queue';
import { readRows, type Chunk } from '../csv/csv-file.js';
import { People } from '../people/people.js';
import { settings } from '../settings.js';

/** Imports one part of an uploaded file. */
@Job()
@Tries(2)
@Backoff('200ms')
@Middleware(SkipIfBatchCancelled)
export class ImportChunk extends Queueable {
  constructor(
    readonly file: string,
    readonly chunk: Chunk,
  ) {
    super();
  }

  displayName(): string {
    return `ImportChunk rows ${this.chunk.firstRow} to ${this.chunk.lastRow}`;
  }

  async handle(@Inject() people: People): Promise<void> {
    const { firstRow, lastRow } = this.chunk;
    const rows = await readRows(join(settings.uploads, this.file), this.chunk).catch((cause: Error) => {
      throw new Error(`rows ${firstRow} to ${lastRow} cannot be read: ${cause.message}`, { cause });
    });
    await people.store(this.file, firstRow, rows);
  }
}
