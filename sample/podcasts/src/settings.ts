import { mkdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

/** Where the sample keeps its database and its sound files: DATA_DIR, else beside the built app. */
const root = resolve(process.env['DATA_DIR'] ?? join(import.meta.dirname, '../data/default'));

export const settings = {
  root,
  database: join(root, 'podcasts.sqlite'),
  media: join(root, 'media'),
  journal: join(root, 'jobs.jsonl'),
  feed: join(root, 'feed.xml'),
  /** Of the keys on a Redis server, which may have those of other runs. */
  prefix: `podcasts:${basename(root)}`,
};

mkdirSync(settings.media, { recursive: true });
