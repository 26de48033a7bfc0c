import { BadRequestException, Injectable, NotFoundException } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Batch, FailedJobs, QueueBus } from 'nestjs-queue';
import { chunksOf, readRows } from '../csv/csv-file.js';
import { HEADER } from '../people/read-person.js';
import { settings } from '../settings.js';
import { ChunkFailed, ImportFinished, ImportSucceeded } from './import-callbacks.js';
import { ImportChunk } from './import-chunk.job.js';

@Injectable()
export class Imports {
  /** How far the batch is stored that is being stored now. */
  storing: { readonly stored: number; readonly total: number } | undefined;

  constructor(
    private readonly bus: QueueBus,
    private readonly failedJobs: FailedJobs,
  ) {}

  /** Keeps the file and dispatches a batch with a job for every 500 rows, or as `settings` say. The rows themselves do not travel. */
  async start(name: string, content: Readable): Promise<Batch> {
    const file = `${randomUUID()}.csv`;
    const path = join(settings.uploads, file);
    await pipeline(content, createWriteStream(path));
    const chunks = await chunksOf(path, settings.rowsPerChunk);
    const [header] = chunks[0] ? await readRows(path, { start: 0, end: chunks[0].start }) : [];
    if (header?.join() !== HEADER.join()) {
      await rm(path);
      throw new BadRequestException(`The file does not begin with ${HEADER.join()} and a row behind it`);
    }
    return this.bus
      .batch(chunks.map((chunk) => new ImportChunk(file, chunk)))
      .name(name)
      .withOption('file', file)
      .withOption('rows', chunks.at(-1)!.lastRow)
      .allowFailures(new ChunkFailed(file))
      .then(new ImportSucceeded(file))
      .finally(new ImportFinished(file))
      .onStored((stored, total) => (this.storing = { stored, total }))
      .dispatch()
      .finally(() => (this.storing = undefined));
  }

  async find(id: string): Promise<Batch> {
    const batch = await this.bus.findBatch(id);
    if (!batch) throw new NotFoundException(`There is no import ${id}`);
    return batch;
  }

  /** Takes a corrected file, in which every row is where it was, and has the failed chunks tried again. Tells how many. */
  async mend(id: string, content: Readable): Promise<number> {
    const path = join(settings.uploads, fileOf(await this.find(id)));
    await pipeline(content, createWriteStream(`${path}.mended`));
    const [before, after] = await Promise.all([stat(path), stat(`${path}.mended`)]);
    if (after.size !== before.size) {
      await rm(`${path}.mended`);
      throw new BadRequestException(`The file has ${after.size} bytes and must have ${before.size}, as before`);
    }
    await rename(`${path}.mended`, path);
    return this.failedJobs.retryBatch(id);
  }
}

/** Under which name the file of an import is kept. */
export function fileOf(batch: Batch): string {
  return String(batch.options['file']);
}
