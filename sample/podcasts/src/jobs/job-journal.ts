import { Injectable, type OnModuleInit } from '@nestjs/common';
import { appendFileSync } from 'node:fs';
import {
  JobFailed,
  type JobContext,
  JobProcessed,
  JobProcessing,
  JobReleasedAfterException,
  QueueManager,
} from 'nestjs-queue';
import { settings } from '../settings.js';

/** One line of the journal. */
export interface JournalLine {
  at: number;
  pid: number;
  event: 'started' | 'done' | 'will retry' | 'failed';
  id: string;
  name: string;
  attempts: number;
  tags: readonly string[];
  error?: string;
}

/** Listens to the queue's events and writes them down, one JSON object a line. */
@Injectable()
export class JobJournal implements OnModuleInit {
  constructor(private readonly queue: QueueManager) {}

  onModuleInit(): void {
    this.queue.on(JobProcessing, ({ job }) => write('started', job));
    this.queue.on(JobProcessed, ({ job }) => write('done', job));
    this.queue.on(JobReleasedAfterException, ({ job, error }) => write('will retry', job, error));
    this.queue.on(JobFailed, ({ job, error }) => write('failed', job, error));
  }
}

function write(event: JournalLine['event'], { id, name, attempts, tags }: JobContext, error?: unknown): void {
  const line: JournalLine = { at: Date.now(), pid: process.pid, event, id, name, attempts, tags };
  if (error instanceof Error) line.error = error.message;
  appendFileSync(settings.journal, `${JSON.stringify(line)}\n`);
}
