import { afterAll, describe, expect, it } from '@jest/globals';
import { conformanceCases, runCase, type Harness } from '../../lib/testing/conformance/index.js';

/** A case may wait for real time where a store has no clock of ours. */
const CASE_TIMEOUT_MS = 30_000;

/** One test per conformance case. What does not apply to a backend is printed with its reason and counted at the end. */
export function describeConformance(name: string, makeHarness: () => Harness): void {
  const skipped: string[] = [];
  const families = Object.entries(conformanceCases);
  const total = families.reduce((count, [, cases]) => count + cases.length, 0);

  for (const [family, cases] of families) {
    describe(`${name}: ${family}`, () => {
      for (const one of cases) {
        it(
          `${one.name}`,
          async () => {
            const answer = await runCase(one, makeHarness());
            expect(answer.skipped).not.toBe('');
            if (answer.skipped === undefined) return;
            skipped.push(one.name);
            console.info(`${name} skips [${family}] ${one.name}: ${answer.skipped}`);
          },
          CASE_TIMEOUT_MS,
        );
      }
    });
  }

  afterAll(() => {
    if (skipped.length > 0) console.info(`${name}: ${skipped.length} of ${total} conformance cases do not apply.`);
  });
}
