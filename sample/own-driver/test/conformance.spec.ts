import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from 'nestjs-queue/testing';
import { conformanceCases, runCase, type Harness } from 'nestjs-queue/testing/conformance';
import { FileDriver } from '../src/file-driver/file-driver.js';

/** In memory where the machine has a place for it: the cases make thousands of files. */
const place = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A directory of its own for each case. Time is held, so nothing is waited for. */
function harness(): Harness {
  const clock = new FakeClock();
  const drivers: FileDriver[] = [];
  let path: string | undefined;
  const reopen = async () => {
    path ??= await mkdtemp(join(place, 'own-driver-'));
    const driver = new FileDriver({ driver: 'files', path, durable: false }, { clock });
    drivers.push(driver);
    return { queue: driver, close: async () => driver.close() };
  };
  return {
    open: reopen,
    reopen,
    advance: (ms) => clock.advance(ms / 1_000),
    now: () => clock.now(),
    close: async () => {
      for (const driver of drivers) driver.close();
      await rm(path!, { recursive: true, force: true });
    },
  };
}

/** What this driver leaves to others; each case that asks for more is answered with one of these. */
const LACKS =
  /^($|the driver has no exchange|the backend has no|effects of kind|the driver takes bodies of any size|no writer can keep)/;

describe('a queue in a directory', () => {
  it.each(conformanceCases['queue driver'].map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const { skipped = '' } = await runCase(one, harness());
    expect(skipped).toMatch(LACKS);
  });
});
