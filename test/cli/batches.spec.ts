import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { buildFixture, type Fixture } from '../support/build-fixture.js';
import { NodeProcess, temporaryFolder, type Ended } from './processes.js';

let fixture: Fixture;
let folder: ReturnType<typeof temporaryFolder>;
beforeAll(async () => {
  fixture = await buildFixture('cli', 'test/cli/fixture');
}, 60_000);
beforeEach(() => void (folder = temporaryFolder()));
afterEach(() => folder.remove());

const run = (...args: string[]): Promise<Ended> =>
  new NodeProcess([fixture.bin, ...args, `--app=${join(fixture.folder, 'app.module.js')}`], folder.path).ended;

describe('the commands on batches, of an application of its own', () => {
  it('show, retry, cancel and prune', async () => {
    const { out: id, err } = await new NodeProcess([join(fixture.folder, 'batch.js')], folder.path).ended;
    expect(err).toBe('');
    const waiting = await run('queue:batches');
    expect(waiting).toMatchObject({ code: 0, err: '' });
    expect(waiting.out).toMatch(new RegExp(`Greetings +${id} +0% +0/3 +0 +running`));
    expect(await run('queue:work', '--stop-when-empty')).toMatchObject({ code: 0 });
    const listed = JSON.parse((await run('queue:batches', '--json')).out) as object[];
    expect(listed).toMatchObject([
      { id, name: 'Greetings', totalJobs: 3, pendingJobs: 1, failedJobs: 1, progress: 67 },
    ]);
    const shown = JSON.parse((await run('queue:batches', id, '--json')).out) as { members: { state: string }[] };
    expect(shown.members.map(({ state }) => state).sort()).toEqual(['done', 'done', 'failed']);

    expect(await run('queue:retry-batch', id)).toMatchObject({
      code: 0,
      out: `Pushed 1 failed job of the batch [${id}] back onto the queue.\n`,
    });
    expect((await run('queue:failed')).out).toBe('No failed jobs found.\n');
    expect((await run('queue:retry-batch', id)).code).toBe(1);
    expect((await run('queue:retry-batch', 'nope')).err).toMatch(
      /^ERROR {2}Unable to find a batch with ID \[nope\]\.\n/,
    );
    expect(await run('queue:prune-failed', '--hours=0')).toMatchObject({ code: 0, out: '0 entries deleted.\n' });
    expect(await run('queue:prune-batches', '--hours=0')).toMatchObject({ code: 0, out: '1 entries deleted.\n' });
    expect((await run('queue:batches', id)).code).toBe(1);

    const { out: second } = await new NodeProcess([join(fixture.folder, 'batch.js')], folder.path).ended;
    expect(await run('queue:batches', second, '--cancel')).toMatchObject({
      code: 0,
      out: `Batch [${second}] cancelled.\n`,
    });
    expect((await run('queue:batches')).out).toMatch(new RegExp(`${second} .* cancelled `));
  }, 60_000);
});
