import { afterAll } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Imported first: the jobs and the postcards of a test are in a directory of its own, as no server is needed. */
const folder = mkdtempSync(join(tmpdir(), 'own-driver-'));
process.env['DATA_DIR'] = folder;

afterAll(() => rmSync(folder, { recursive: true, force: true }));
