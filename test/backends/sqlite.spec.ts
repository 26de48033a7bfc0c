import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../lib/testing/fake-clock.js';
import { conformanceCases, runCase, type Harness } from '../../lib/testing/conformance/index.js';
import { describeConformance } from '../support/conformance.js';
import { SqliteFiles } from './sqlite-harness.js';

describeConformance('sqlite', () => {
  const files = new SqliteFiles();
  const clock = new FakeClock();
  return {
    open: () => files.backend({ clock }),
    reopen: () => files.backend({ clock }),
    advance: (ms) => clock.advance(ms / 1_000),
    now: () => clock.now(),
    holdWrites: () => files.hold(),
    close: () => files.close(),
  } satisfies Harness;
});

describe('sqlite by the real clock', () => {
  const timed = conformanceCases['queue driver'].filter(({ name }) => /wait|woken|abort|busy|delayed|lease/.test(name));
  it('has cases that depend on time', () => {
    expect(timed.length).toBeGreaterThan(20);
  });
  it.each(timed.map((one) => [one.name, one] as const))(
    '%s',
    async (_, one) => {
      const files = new SqliteFiles();
      const answer = await runCase(one, {
        open: () => files.backend(),
        reopen: () => files.backend(),
        advance: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        now: () => Date.now(),
        holdWrites: () => files.hold(),
        close: () => files.close(),
      });
      expect(answer).toEqual({});
    },
    30_000,
  );
});
