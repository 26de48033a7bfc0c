import type { INestApplication } from '@nestjs/common';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { QueueBus, QueueManager } from 'nestjs-queue';
import type { Counts } from '../people/people.js';
import { settings } from '../settings.js';
import { Imports } from '../imports/imports.js';
import { followBatch, followStoring } from './progress-bar.js';

interface Report {
  readonly imported: Counts;
  readonly bad: Counts;
  readonly notes: readonly { readonly callback: string; readonly text: string }[];
}

const CSV = { 'content-type': 'text/csv' };

/** Imports the file of settings.csv as a browser would. Tells whether everything that is in it came through. */
export async function play(app: INestApplication, url: string): Promise<boolean> {
  const bus = app.get(QueueBus);
  const queue = app.get(QueueManager).connection();
  const content = await readFile(settings.csv);
  const report = (id: string) => request<Report>(`${url}/imports/${id}/report`);

  console.log(`\n== people.csv is uploaded, ${(content.length / 1024 / 1024).toFixed(1)} MB`);
  const began = Date.now();
  const uploaded = request<{ id: string }>(`${url}/imports?name=people.csv`, 'POST', content);
  await followStoring(app.get(Imports), uploaded);
  const { id } = await uploaded;
  console.log(`in a batch after ${seconds(Date.now() - began)}; in a browser: ${url}/?import=${id}`);
  const first = await followBatch(bus, id, (batch) => batch.finished());
  const took = Date.now() - began;
  const failed = await until(
    () => report(id),
    ({ notes }) => notes.length >= 1 + first.failedJobs,
  );
  for (const { callback, text } of failed.notes) console.log(`${callback}: ${text}`);

  console.log('\n== The byte that is no UTF-8 is corrected, the file sent again, and the failed chunk retried');
  const mended = Buffer.from(content);
  mended[mended.indexOf(Buffer.from([0xe9, 0x20]))] = 'e'.charCodeAt(0);
  const { retried } = await request<{ retried: number }>(`${url}/imports/${id}/file`, 'PUT', mended);
  console.log(`${retried} chunk is tried again`);
  const batch = await followBatch(bus, id, ({ pendingJobs }) => pendingJobs === 0);
  await until(
    () => report(id),
    (now) => count(now, 'then') > 0,
  );
  // Nothing is left that could come twice.
  await until(
    () => queue.size(),
    ({ total }) => total === 0,
  );
  const { imported, bad, notes } = await report(id);

  const rows = Number(batch.options['rows']);
  const thens = count({ notes }, 'then');
  const finallys = count({ notes }, 'finally');
  console.log('\n== Summary');
  tell('rows in the file', rows);
  tell('imported', sum(imported), list(imported));
  tell('bad', sum(bad), list(bad));
  tell('chunks', batch.totalJobs, `${first.failedJobs} failed at first and ${batch.failedJobs} in the end`);
  tell('then came', thens);
  tell('finally came', finallys);
  console.log(`\nthe batch: ${JSON.stringify(batch)}`);

  const whole = sum(imported) + sum(bad) === rows && batch.failedJobs === 0 && thens === 1 && finallys === 1;
  console.log(
    `\n${whole ? 'Every row is accounted for' : 'BROKEN'}. ${rows} rows but for one chunk in ${seconds(took)}.`,
  );
  return whole;
}

async function request<T>(url: string, method = 'GET', body?: Buffer<ArrayBuffer>): Promise<T> {
  const response = await fetch(url, {
    method,
    headers: CSV,
    ...(body && { body }),
    signal: AbortSignal.timeout(120_000),
  });
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

/** Callbacks are jobs: they come a little behind what makes them due. */
async function until<T>(read: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const answer = await read();
    if (holds(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`waited 20 s in vain; there is ${JSON.stringify(answer)}`);
    await sleep(50);
  }
}

function count({ notes }: Pick<Report, 'notes'>, callback: string): number {
  return notes.filter((note) => note.callback === callback).length;
}

function sum(counts: Counts): number {
  return Object.values(counts).reduce((total, one) => total + one, 0);
}

function list(counts: Counts): string {
  return Object.entries(counts)
    .map(([name, many]) => `${name}: ${many}`)
    .join(', ');
}

function tell(what: string, many: number, more = ''): void {
  console.log(`  ${what.padEnd(18)}${String(many).padStart(6)}   ${more}`.trimEnd());
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
