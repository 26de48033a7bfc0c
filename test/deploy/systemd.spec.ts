import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { deployFile } from './deploy-files.js';

/** Why it cannot be asked here. No package brings it to a system that runs without systemd. */
function skipped(): string | undefined {
  const { error } = spawnSync('systemd-analyze', ['--version'], { stdio: 'ignore' });
  return error === undefined ? undefined : 'no systemd-analyze is installed here';
}

/** What systemd says of a unit; nothing is fine. */
function verified(unit: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-queue-systemd-'));
  try {
    const file = join(folder, 'nestjs-queue@1.service');
    writeFileSync(file, unit);
    const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', file], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    });
    // It looks at the units of the machine as well, which are none of ours.
    return `${stdout}${stderr}`
      .split('\n')
      .filter((line) => line.includes('nestjs-queue@'))
      .join('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const unit = deployFile('nestjs-queue@.service').replace('/usr/bin/node', process.execPath);

const register = { run: describe, skip: describe.skip };
const SKIPPED = skipped();
if (SKIPPED !== undefined) console.info(`Skipped: deploy/nestjs-queue@.service by systemd-analyze: ${SKIPPED}.`);

register[SKIPPED === undefined ? 'run' : 'skip']('deploy/nestjs-queue@.service', () => {
  it('is accepted by systemd', () => {
    expect(verified(unit)).toBe('');
  });

  it('would not be, were something wrong with it', () => {
    expect(verified(unit.replace('KillMode=mixed', 'KillMood=mixed'))).toContain('KillMood');
    expect(verified(unit.replace('TimeoutStopSec=45', 'TimeoutStopSec=long'))).toContain('time value');
    expect(verified(unit.replace(process.execPath, '/nowhere/node'))).toContain('/nowhere/node');
  });
});
