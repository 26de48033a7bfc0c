import { mkdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

/** Where the sample keeps its database and the files that were uploaded: DATA_DIR, else beside the built app. */
const root = resolve(process.env['DATA_DIR'] ?? join(import.meta.dirname, '../data/default'));

export const settings = {
  /** 'web', 'worker 1', 'worker 2': written beside each row that the process imports. */
  process: process.env['PROCESS_NAME'] ?? `process ${process.pid}`,
  database: join(root, 'people.sqlite'),
  uploads: join(root, 'uploads'),
  /** What the demonstration uploads; made by run.mjs. */
  csv: join(root, 'people.csv'),
  /** How many rows a job imports. With 1 the batch has a member for every row. */
  rowsPerChunk: Number(process.env['ROWS_PER_CHUNK'] ?? 500),
  /** Of the keys on a Redis server, which may have those of other runs. */
  prefix: `csv-import:${basename(root)}`,
};

mkdirSync(settings.uploads, { recursive: true });
