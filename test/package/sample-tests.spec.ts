import { afterAll, describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run, temporary } from './checkout.js';

/*
 * The samples' own tests, as fast as the tests of an application are to be: without a server, each file of them, and all tests of a
 * sample together, within two seconds. What compiles them is not counted: a first run fills Jest's cache.
 */

const LIMIT_MS = 2_000;
/** The machine may have much else to do: the best of so many runs counts. */
const RUNS = 4;
/** Some machines are slower all the time: so many times. */
const BUSY = 2.5;

const SAMPLES = readdirSync(join(ROOT, 'sample'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

const place = temporary('sample-tests');
afterAll(() => place.remove());

interface Report {
  readonly success: boolean;
  readonly numTotalTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly { readonly duration?: number | null }[];
  }[];
}

async function runTests(sample: string): Promise<Report> {
  const report = join(place.path, `${sample}.json`);
  await run(`npm run -s jest -- '/sample/${sample}/test/' --ci -w 1 --json --outputFile='${report}'`, {
    cwd: ROOT,
    seconds: 60,
    env: { REDIS_URL: '' },
  });
  return JSON.parse(readFileSync(report, 'utf8')) as Report;
}

/** By file, and of all tests together. */
function timesOf({ testResults }: Report): Map<string, number> {
  const times = new Map(testResults.map((file) => [file.name.slice(ROOT.length + 1), file.endTime - file.startTime]));
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  return times.set(
    'all tests',
    tests.reduce((sum, { duration }) => sum + (duration ?? 0), 0),
  );
}

describe("the samples' own tests", () => {
  it('are there', () => {
    expect(SAMPLES).toEqual(expect.arrayContaining(['csv-import', 'own-driver', 'podcasts', 'policies']));
  });

  it.each(SAMPLES)(
    '%s: pass, each file within two seconds',
    async (sample) => {
      const best = timesOf(await runTests(sample));
      for (let runs = 1; runs < RUNS; runs++) {
        const report = await runTests(sample);
        expect(report).toMatchObject({ success: true });
        expect(report.numTotalTests).toBeGreaterThan(5);
        for (const [name, ms] of timesOf(report)) best.set(name, Math.min(best.get(name) ?? Infinity, ms));
        if ([...best.values()].every((ms) => ms < LIMIT_MS)) break;
      }
      const slow = [...best].filter(([, ms]) => ms >= LIMIT_MS);
      if (slow.length > 0) console.info(`over ${LIMIT_MS} ms, on a machine as busy as this: ${slow.join('; ')}`);
      expect(slow.filter(([, ms]) => ms >= BUSY * LIMIT_MS)).toEqual([]);
    },
    240_000,
  );

  it.each(SAMPLES)('%s: are written with this kit and no other', (sample) => {
    const folder = join(ROOT, 'sample', sample, 'test');
    const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
    const imported = files.flatMap((name) =>
      [...readFileSync(join(folder, name), 'utf8').matchAll(/(?:from|import) '([^'.][^']*)'/g)].map(([, one]) => one!),
    );
    const known =
      /^(node:|@jest\/globals$|@nestjs\/(common|testing)$|typeorm$|nestjs-queue(\/testing(\/(jest|conformance))?)?$)/;
    expect(imported.filter((one) => !known.test(one))).toEqual([]);
    expect(imported.some((one) => one.startsWith('nestjs-queue/testing'))).toBe(true);
  });
});
