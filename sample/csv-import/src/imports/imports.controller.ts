import { Controller, Get, Param, Post, Put, Query, Req, StreamableFile } from '@nestjs/common';
import { createReadStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Batch } from 'nestjs-queue';
import { People } from '../people/people.js';
import { ImportNotes } from './import-notes.js';
import { fileOf, Imports } from './imports.js';

@Controller()
export class ImportsController {
  constructor(
    private readonly imports: Imports,
    private readonly people: People,
    private readonly notes: ImportNotes,
  ) {}

  @Get()
  page(): StreamableFile {
    const file = createReadStream(join(import.meta.dirname, '../../page.html'));
    return new StreamableFile(file, { type: 'text/html; charset=utf-8' });
  }

  /** Takes a CSV file as the body of the request, as it is. */
  @Post('imports')
  start(@Req() request: IncomingMessage, @Query('name') name?: string): Promise<Batch> {
    return this.imports.start(name || 'people.csv', request);
  }

  /** What the page polls. A batch is JSON as it stands. */
  @Get('imports/:id')
  progress(@Param('id') id: string): Promise<Batch> {
    return this.imports.find(id);
  }

  @Get('imports/:id/report')
  async report(@Param('id') id: string) {
    const file = fileOf(await this.imports.find(id));
    const [imported, bad, notes] = await Promise.all([
      this.people.imported(file),
      this.people.bad(file),
      this.notes.of(file),
    ]);
    return { imported, bad, notes: notes.map(({ callback, text }) => ({ callback, text })) };
  }

  @Put('imports/:id/file')
  async mend(@Param('id') id: string, @Req() request: IncomingMessage) {
    return { retried: await this.imports.mend(id, request) };
  }
}
