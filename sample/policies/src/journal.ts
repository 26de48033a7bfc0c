import { Injectable, type OnModuleInit } from '@nestjs/common';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { JobDebounced, JobFailed, JobReleased, QueueManager, UniqueJobSkipped, WorkerStarting } from 'nestjs-queue';
import { seconds } from './scene.js';
import { settings } from './settings.js';

export interface Line {
  at: number;
  by: string;
  what: string;
  about: string;
}

/** What happens in any of the processes: told on the terminal, and kept in one file for the summary. */
@Injectable()
export class Journal implements OnModuleInit {
  constructor(private readonly queue: QueueManager) {}

  onModuleInit(): void {
    this.queue.on(WorkerStarting, () => this.note('worker starts', settings.process));
    this.queue.on(JobReleased, ({ job }) => this.note('released', job.name));
    this.queue.on(JobFailed, ({ job }) => this.note('failed', job.name));
    this.queue.on(UniqueJobSkipped, ({ job }) => this.note('unique skipped', job.constructor.name));
    this.queue.on(JobDebounced, ({ job }) => this.note('debounced', job.name));
  }

  tell(what: string, about: string): void {
    this.note(what, about);
    console.log(
      `${seconds(Date.now() - settings.began).padStart(8)}  ${settings.process.padEnd(8)}  ${what}: ${about}`,
    );
  }

  note(what: string, about: string): void {
    const line: Line = { at: Date.now(), by: settings.process, what, about };
    appendFileSync(settings.journal, `${JSON.stringify(line)}\n`);
  }

  lines(what: string, about?: string): Line[] {
    if (!existsSync(settings.journal)) return [];
    return readFileSync(settings.journal, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line)
      .filter((line) => line.what === what && (about === undefined || line.about === about));
  }

  /** Waits until there are so many lines and returns them in the order of their times. */
  async until(count: number, what: string, about?: string): Promise<Line[]> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const lines = this.lines(what, about);
      if (lines.length >= count) return lines.toSorted((a, b) => a.at - b.at);
      if (Date.now() > deadline) {
        const which = about === undefined ? what : `${what}: ${about}`;
        throw new Error(`waited 20 s for ${count} of "${which}", there are ${lines.length}`);
      }
      await sleep(20);
    }
  }
}
