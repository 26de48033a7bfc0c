import { setTimeout as sleep } from 'node:timers/promises';
import type { Batch, QueueBus } from 'nestjs-queue';

const WIDTH = 30;

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
  const full = Math.floor((batch.progress() / 100) * WIDTH);
  const bar = '█'.repeat(full).padEnd(WIDTH, '░');
  const failed = batch.failedJobs > 0 ? `, ${batch.failedJobs} failed` : '';
  return `  ${bar} ${String(batch.progress()).padStart(3)} %  ${batch.processedJobs()} of ${batch.totalJobs} chunks${failed}`;
}
