import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import { chunksOf, readRows } from '../../sample/csv-import/src/csv/csv-file.js';
import { parseCsv } from '../../sample/csv-import/src/csv/parse-csv.js';
import { describeRedis, freshRedis, START_LIMIT_MS } from '../support/shared-redis.js';
import { ROOT, type Running, start, temporary } from './checkout.js';

interface Seen {
  readonly name: string;
  readonly totalJobs: number;
  readonly pendingJobs: number;
  readonly processedJobs: number;
  readonly progress: number;
  readonly failedJobs: number;
  readonly failedJobIds: readonly string[];
  readonly finishedAt: string | null;
}

/** Waits for what the sample says, and takes what `text` has in brackets. */
async function said(sample: Running, text: RegExp): Promise<string[]> {
  for (;;) {
    const match = text.exec(sample.output());
    if (match) return match.slice(1);
    if (!sample.alive()) throw new Error(`the sample ended without ${text}:\n${sample.output()}`);
    await sleep(20);
  }
}

async function get<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T;
}

/** What the endpoint that the page polls has answered, until no member is missing. */
async function polled(url: string): Promise<Seen[]> {
  const seen: Seen[] = [];
  for (;;) {
    // The web process of a run that does not stay ends soon after the last chunk.
    const batch = await get<Seen>(url).catch(() => undefined);
    if (!batch) return seen;
    seen.push(batch);
    if (batch.pendingJobs === 0) return seen;
    await sleep(20);
  }
}

/** What a run must have told, line by line; all of its output where it has not. */
function told(output: string): string | readonly string[] {
  const lines = [
    /\nfailed chunk: rows 23001 to 23500 cannot be read: .*utf-8\n/,
    /\nfinally: 100 chunks have ended, 1 failed\n/,
    /\n1 chunk is tried again\n/,
    /\n {2}█{30} 100 % {2}100 of 100 chunks\n/,
    /\n {2}rows in the file +50000\n/,
    /\n {2}imported +49600 +worker 1: \d{4,5}, worker 2: \d{4,5}\n/,
    /\n {2}bad +400 +no e-mail address: 200, no name: 100, no year of birth: 50, not five fields: 50\n/,
    /\n {2}chunks +100 +1 failed at first and 0 in the end\n/,
    /\n {2}then came +1\n {2}finally came +1\n/,
    /\nthe batch: \{.*"name":"people.csv","totalJobs":100,"pendingJobs":0,"processedJobs":100,.*\}\n/,
    /\nEvery row is accounted for\. /,
  ];
  const missing = lines.filter((line) => !line.test(output)).map(String);
  return missing.length === 0 ? 'everything' : [...missing, output];
}

/** Runs the script of the page as a browser would, and gives what it shows in the end. */
async function shownBy(web: string, id: string): Promise<Record<string, unknown>> {
  const page = await (await fetch(web)).text();
  const [, script] = /<script type="module">(.*)<\/script>/s.exec(page)!;
  const elements: Record<string, Record<string, unknown>> = {};
  const querySelector = (selector: string) => (elements[selector] ??= { addEventListener: () => undefined });
  await (runInNewContext(`(async () => {${script}})()`, {
    document: { querySelector },
    location: { search: `?import=${id}` },
    fetch: (path: string) => fetch(new URL(path, web)),
    URLSearchParams,
    setTimeout,
  }) as Promise<void>);
  return {
    name: elements['h2']?.['textContent'],
    bar: elements['progress']?.['value'],
    state: elements['#state']?.['textContent'],
    report: String(elements['pre']?.['textContent']).includes('"not five fields": 50'),
  };
}

describe('the CSV files of sample/csv-import', () => {
  const workplace = temporary('csv');
  afterAll(() => workplace.remove());

  it('are read with quotes, line breaks in fields, and either line ending', () => {
    expect(parseCsv('a,"b ""c"", d",\r\n"e\nf",,g\n')).toEqual([
      ['a', 'b "c", d', ''],
      ['e\nf', '', 'g'],
    ]);
    expect(parseCsv('a,b,')).toEqual([['a', 'b', '']]);
    expect(() => parseCsv('a,b"c\n')).toThrow('a quote is out of place at "b\\"c\\n"');
  });

  it('are cut between rows alone, and lose none', async () => {
    const path = join(workplace.path, 'some.csv');
    const rows = Array.from({ length: 5_003 }, (_, index) => [`${index}`, index % 3 === 0 ? 'é\n"ü"' : 'plain']);
    const text = rows.map(([number, field]) => `${number},"${field!.replaceAll('"', '""')}"`).join('\n');
    writeFileSync(path, `number,field\n${text}`);
    const chunks = await chunksOf(path, 250);
    expect(chunks.map(({ firstRow, lastRow }) => [firstRow, lastRow]).at(-1)).toEqual([5_001, 5_003]);
    const read = await Promise.all(chunks.map((chunk) => readRows(path, chunk)));
    expect(read.map((some) => some.length)).toEqual([...Array<number>(20).fill(250), 3]);
    expect(read.flat()).toEqual(rows);
  });
});

describe('sample/csv-import', () => {
  /** A web process and two real workers each, started as a reader of the sample does. */
  const started: Running[] = [];
  const play = (env: { REDIS_URL: string }, more = ''): Running => {
    started.push(start(`node sample/csv-import/run.mjs${more}`, { cwd: ROOT, seconds: 60, env }));
    return started.at(-1)!;
  };
  let onSqlite: Running;

  // What a test that failed has left running.
  afterAll(async () => {
    for (const sample of started) sample.signal('SIGKILL');
    await Promise.all(started.map((sample) => sample.ended));
  });

  // It builds the sample, which the run on Redis then finds.
  beforeAll(async () => {
    onSqlite = play({ REDIS_URL: '' });
    await said(onSqlite, /== people\.csv is uploaded/);
  }, 60_000);

  it('imports 50,000 rows over two workers on SQLite, while a page polls the batch', async () => {
    const [web, id] = await said(onSqlite, /in a browser: (\S+)\/\?import=(\S+)\n/);
    const seen = await polled(`${web}/imports/${id}`);
    const { code, output } = await onSqlite.ended;

    expect({ code, told: told(output), left: onSqlite.alive() }).toEqual({ code: 0, told: 'everything', left: false });
    const counts = seen.map(({ processedJobs }) => processedJobs);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(new Set(counts).size).toBeGreaterThan(5);
    expect(seen.find(({ finishedAt }) => finishedAt !== null)).toMatchObject({
      name: 'people.csv',
      totalJobs: 100,
      pendingJobs: 1,
      processedJobs: 99,
      progress: 99,
      failedJobs: 1,
      failedJobIds: [expect.any(String)],
    });
  }, 90_000);

  describeRedis('on Redis, left running', () => {
    it(
      'does the same, and goes on to serve its page',
      async () => {
        const redis = await freshRedis();
        const sample = play({ REDIS_URL: redis.url }, ' --stay');
        const [web = '', id = ''] = await said(sample, /in a browser: (\S+)\/\?import=(\S+)\n/);
        const page = shownBy(web, id);
        await said(sample, /Left running: /);

        expect(told(sample.output())).toBe('everything');
        expect(await page).toEqual({
          name: 'people.csv',
          bar: 100,
          state: '100 %: 100 of 100 chunks, 0 failed',
          report: true,
        });
        const upload = (body: string) => fetch(`${web}/imports`, { method: 'POST', body });
        expect((await upload('name,age\nAda,36\n')).status).toBe(400);
        expect((await fetch(`${web}/imports/nobody`)).status).toBe(404);
        expect((await fetch(`${web}/imports/${id}/file`, { method: 'PUT', body: 'shorter' })).status).toBe(400);
        const answer = await upload('name,email,city,born,note\nAda,ada@example.org,London,1915,\nBen,,Oslo,1950,\n');
        const second = (await answer.json()) as Seen & { id: string };
        await polled(`${web}/imports/${second.id}`);
        const { imported, bad } = await get<Record<string, object>>(`${web}/imports/${second.id}/report`);
        expect([Object.values(imported!), bad]).toEqual([[1], { 'no e-mail address': 1 }]);

        sample.signal('SIGINT');
        expect({ code: (await sample.ended).code, left: sample.alive() }).toEqual({ code: 0, left: false });
        await redis.drop();
      },
      90_000 + START_LIMIT_MS,
    );
  });
});
