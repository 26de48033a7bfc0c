import { mkdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

/** Where the sample keeps its database and its journal: DATA_DIR, else beside the built app. */
const root = resolve(process.env['DATA_DIR'] ?? join(import.meta.dirname, '../data/default'));

export const settings = {
  /** Who writes a line of the journal: 'office', 'worker 1', 'worker 2'. */
  process: process.env['PROCESS_NAME'] ?? `process ${process.pid}`,
  /** When the run began, in milliseconds: the zero of the times on the terminal. */
  began: Number(process.env['BEGAN'] ?? Date.now()),
  database: join(root, 'box-office.sqlite'),
  journal: join(root, 'journal.jsonl'),
  /** While this file is there the payment gateway refuses. */
  gatewayDown: join(root, 'gateway-is-down'),
  /** Of the keys on a Redis server, which may have those of other runs. */
  prefix: `policies:${basename(root)}`,
};

mkdirSync(root, { recursive: true });
