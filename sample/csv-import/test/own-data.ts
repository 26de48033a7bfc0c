import { afterAll } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Imported first: the database and the uploads of a test are in a directory of its own, as no server is needed. */
const folder = mkdtempSync(join(tmpdir(), 'csv-import-'));
process.env['DATA_DIR'] = folder;
// A batch of a few jobs shows what one of many would.
process.env['ROWS_PER_CHUNK'] = '2';
delete process.env['REDIS_URL'];

afterAll(() => rmSync(folder, { recursive: true, force: true }));
