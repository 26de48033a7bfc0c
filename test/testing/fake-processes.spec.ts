import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { buildFixture } from '../support/build-fixture.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** A process that something holds open would take for ever. */
const LIMIT_MS = 60_000;

interface Ended {
  readonly code: number;
  readonly text: string;
  /** From the last word that it said until it was over. */
  readonly lingeredMs: number;
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    let last = performance.now();
    const options = { cwd: ROOT, timeout: LIMIT_MS, env: { ...process.env, NODE_OPTIONS: '', ...env } };
    const child = execFile(process.execPath, args, options, (error, out, err) =>
      resolve({
        code: error ? Number(error.code ?? -1) : 0,
        text: `${out}${err}`,
        lingeredMs: performance.now() - last,
      }),
    );
    const said = (): void => void (last = performance.now());
    child.stdout!.on('data', said);
    child.stderr!.on('data', said);
  });
}

describe('a process with a faked queue', () => {
  it(
    "ends by itself, under Node's own runner, with every server away and nothing closed",
    async () => {
      const { folder } = await buildFixture('testing', 'test/fixtures/testing');
      const { code, text, lingeredMs } = await run([join(folder, 'faked-app.js')]);
      expect(text).toContain('# pass 1');
      expect(code).toBe(0);
      expect(text).not.toMatch(/resources .*(TCP|Timeout|Socket|FSEvent)/);
      expect(lingeredMs).toBeLessThan(4_000);
    },
    LIMIT_MS,
  );

  it.each(['1', '0'])(
    'leaves nothing open that Jest would tell of (closed: %s)',
    async (CLOSE) => {
      const { jest: config } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { jest: object };
      const own = {
        ...config,
        rootDir: ROOT,
        roots: ['<rootDir>/test/fixtures/testing'],
        testMatch: ['**/*.jest.ts'],
        globalSetup: undefined,
        globalTeardown: undefined,
      };
      const jest = join(ROOT, 'node_modules/jest/bin/jest.js');
      const flags = ['--config', JSON.stringify(own), '--runInBand', '--detectOpenHandles', '--ci'];
      const { code, text, lingeredMs } = await run(['--experimental-vm-modules', jest, ...flags], { CLOSE });
      expect(text).toContain('1 passed');
      expect(text).not.toMatch(/open handle|did not exit/i);
      expect(code).toBe(0);
      expect(lingeredMs).toBeLessThan(4_000);
    },
    LIMIT_MS,
  );
});
