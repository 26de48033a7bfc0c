import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { buildFixture, type Fixture } from '../support/build-fixture.js';

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe('a dispatch that nobody awaits and that fails', () => {
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await buildFixture('flows', 'test/flows/fixture');
  }, 60_000);
  const run = (how: string): Promise<Ended> =>
    new Promise((resolve) => {
      execFile(process.execPath, [join(fixture.folder, 'unawaited.js'), how], (error, out, err) => {
        resolve({ code: error ? Number(error.code) : 0, out, err });
      });
    });

  it.each(['dispatch', 'bulk'])(
    'is an unhandled rejection, never silence: %s',
    async (how) => {
      const { code, out, err } = await run(how);
      expect(err).toContain('UnserializableError');
      expect(err).toContain('Note.carried');
      expect(code).toBe(1);
      expect(out).not.toContain('still here');
    },
    20_000,
  );

  it('is pointed out where the process ends without waiting for it', async () => {
    const { code, out, err } = await run('gone');
    expect(code).toBe(0);
    expect(out + err).toMatch(/WARN.*The process ended while a dispatch was on the way to a store/);
  }, 20_000);

  it('is none where somebody handles it', async () => {
    expect(await run('handled')).toMatchObject({ code: 0, out: 'handled UnserializableError\nstill here\n' });
  }, 20_000);
});
