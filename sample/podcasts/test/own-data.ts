import { afterAll } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Imported first: the database and the sound files of a test are in a directory of its own, as no server is needed. */
const folder = mkdtempSync(join(tmpdir(), 'podcasts-'));
process.env['DATA_DIR'] = folder;
delete process.env['REDIS_URL'];

afterAll(() => rmSync(folder, { recursive: true, force: true }));
