import { beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buildFixture } from '../support/build-fixture.js';

/*
 * The kit under the runners that are not Jest, as child processes over the compiled library.
 */

const ROOT = resolve(import.meta.dirname, '../..');
const CHILD_LIMIT_MS = 60_000;

let folder: string;

beforeAll(async () => {
  ({ folder } = await buildFixture('runners', 'test/testing/runners'));
  // Where an application would have it.
  await mkdir(join(folder, 'node_modules'), { recursive: true });
  await symlink('../..', join(folder, 'node_modules/nestjs-queue')).catch(() => {});
  const config = `export default { test: { include: ['*.vitest.js'], server: { deps: { external: [/dist-test\\/lib/] } } } };`;
  await writeFile(join(folder, 'vitest.config.mjs'), config);
}, CHILD_LIMIT_MS);

/** Runs `node …` to its end. What is still open when the tests are over would keep it until it is killed, with the code null. */
function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1', CI: '1' };
  // What Jest sets for its workers is none of a child's business.
  for (const name of ['NODE_OPTIONS', 'JEST_WORKER_ID', 'NODE_TEST_CONTEXT']) delete env[name];
  return new Promise((done) => {
    const limits = { cwd: folder, env, timeout: CHILD_LIMIT_MS / 2, maxBuffer: 16 * 1024 * 1024 };
    const child = execFile(process.execPath, args, limits, (_, stdout, stderr) =>
      done({ code: child.exitCode, output: stdout + stderr }),
    );
  });
}

const vitest = (file: string) => run(join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder, file);

describe('under Vitest', () => {
  it(
    'the fake, its matchers, interactions and the pipeline work',
    async () => {
      const { code, output } = await vitest('passing.vitest.js');
      expect(output).toMatch(/Tests +3 passed \(3\)/);
      expect(code).toBe(0);
    },
    CHILD_LIMIT_MS,
  );

  it(
    'what fails says what was pushed instead, with a difference where there is one to show',
    async () => {
      const { code, output } = await vitest('failing.vitest.js');
      expect(output).toContain('The expected [ShipOrder] job was not pushed.');
      expect(output).toContain('The expected [ShipOrder] job was pushed 1 times instead of 2 times.');
      expect(output).toContain('ShipOrder on "default" (connection "redis") { order: 1 }');
      expect(output).toMatch(/- 2\s+\+ 1/);
      expect(output).toMatch(/Tests +2 failed \(2\)/);
      expect(code).toBe(1);
    },
    CHILD_LIMIT_MS,
  );
});

describe('under node:test', () => {
  it(
    'the fake, interactions and the pipeline work, and leave nothing open',
    async () => {
      const { code, output } = await run('--test-reporter=tap', 'passing.node.js');
      expect(output).toMatch(/^# pass 3$/m);
      expect(code).toBe(0);
    },
    CHILD_LIMIT_MS,
  );

  it(
    'what fails says what was pushed instead',
    async () => {
      const { code, output } = await run('--test-reporter=tap', 'failing.node.js');
      expect(output).toContain('The expected [ShipOrder] job was pushed 1 times instead of 2 times.');
      expect(output).toContain('ShipOrder on "default" (connection "redis") { order: 1 }');
      expect(output).toMatch(/^# fail 1$/m);
      expect(code).toBe(1);
    },
    CHILD_LIMIT_MS,
  );
});
