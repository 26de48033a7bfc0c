import { setTimeout as sleep } from 'node:timers/promises';
import type { Batch, QueueBus } from 'nestjs-queue';
import type { Imports } from '../imports/imports.js';

const WIDTH = 30;

/** Draws how far a batch is stored, until `stored` has its answer. Few members are stored before anything is drawn. */
export async function followStoring(imports: Imports, stored: Promise<unknown>): Promise<void> {
  let over = false;
  stored.then(
    () => (over = true),
    () => (over = true),
  );
  let drawn = -1;
  for (;;) {
    const { storing } = imports;
    const percent = storing ? Math.floor((storing.stored / storing.total) * 100) : 0;
    const line = storing && lineFor(percent, `${storing.stored} of ${storing.total} chunks are stored`);
    if (line && process.stdout.isTTY) process.stdout.write(`\r${line.padEnd(80)}`);
    else if (line && Math.floor(percent / 10) > drawn) console.log(line);
    if (storing) drawn = Math.floor(percent / 10);
    if (over) break;
    await sleep(20);
  }
  if (drawn >= 0 && process.stdout.isTTY) process.stdout.write('\n');
}

/** Draws how a batch gets on, twenty times a second, until `done` holds: in one line of a terminal, else a line for each tenth. */
export async function followBatch(bus: QueueBus, id: string, done: (batch: Batch) => boolean): Promise<Batch> {
  let drawn = -1;
  for (;;) {
    const batch = await bus.findBatch(id);
    if (!batch) throw new Error(`The batch ${id} is gone`);
    const over = done(batch);
    const tenth = Math.floor(batch.progress() / 10);
    // What is longer on the line that is there is blanked.
    if (process.stdout.isTTY) process.stdout.write(`\r${lineOf(batch).padEnd(80)}${over ? '\n' : ''}`);
    else if (over || tenth > drawn) console.log(lineOf(batch));
    if (over) return batch;
    drawn = tenth;
    await sleep(50);
  }
}

function lineOf(batch: Batch): string {
  const failed = batch.failedJobs > 0 ? `, ${batch.failedJobs} failed` : '';
  return lineFor(batch.progress(), `${batch.processedJobs()} of ${batch.totalJobs} chunks${failed}`);
}

function lineFor(percent: number, what: string): string {
  const bar = '█'.repeat(Math.floor((percent / 100) * WIDTH)).padEnd(WIDTH, '░');
  return `  ${bar} ${String(percent).padStart(3)} %  ${what}`;
}
