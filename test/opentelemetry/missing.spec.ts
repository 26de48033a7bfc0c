import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { buildFixture } from '../support/build-fixture.js';

let folder: string;

/** The entry point where no package is installed. */
beforeAll(async () => {
  const { bin } = await buildFixture('processes', 'test/fixtures/processes');
  folder = mkdtempSync(join(tmpdir(), 'queue-bare-'));
  for (const part of ['opentelemetry', 'support']) {
    cpSync(join(dirname(dirname(bin)), part), join(folder, part), { recursive: true });
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('is loaded without @opentelemetry/api, and says how to install it where it is used', async () => {
  const script = `
    const { openTelemetry } = await import('./opentelemetry/index.js');
    try {
      openTelemetry();
    } catch ({ code, message }) {
      console.log(code, message);
    }`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    cwd: folder,
    env: { PATH: process.env['PATH'] },
  });
  expect(stdout.trim()).toBe(
    'ERR_QUEUE_MISSING_PACKAGE openTelemetry() needs the package @opentelemetry/api, which is not installed. Run: npm i @opentelemetry/api',
  );
});
