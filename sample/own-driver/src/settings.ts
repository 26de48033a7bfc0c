import { join, resolve } from 'node:path';

/** Where the sample keeps its jobs and its pictures: DATA_DIR, else beside the built app. */
const root = resolve(process.env['DATA_DIR'] ?? join(import.meta.dirname, '../data/default'));

export const settings = {
  /** Who writes a line: 'web', 'worker 1', 'worker 2'. */
  process: process.env['PROCESS_NAME'] ?? `process ${process.pid}`,
  queue: join(root, 'queue'),
  postcards: join(root, 'postcards'),
};
