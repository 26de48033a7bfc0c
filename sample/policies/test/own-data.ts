import { afterAll } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Imported first: the database of a test is in a directory of its own, as no server is needed. */
const folder = mkdtempSync(join(tmpdir(), 'policies-'));
process.env['DATA_DIR'] = folder;
process.env['QUEUE_KEY'] = randomBytes(32).toString('base64');
delete process.env['REDIS_URL'];

afterAll(() => rmSync(folder, { recursive: true, force: true }));
