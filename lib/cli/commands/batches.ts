import { cancelBatch } from '../../operations/cancel-batch.js';
import { inspectBatch, listBatches, type ListedBatch } from '../../operations/list-batches.js';
import { age } from '../age.js';
import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import { CommandError } from '../command-error.js';
import { CANCELLATION, confirm } from '../confirm.js';
import { wholeNumber } from '../flags.js';
import type { OpenApp } from '../open-app.js';
import type { Output } from '../output.js';
import { progressBar } from '../progress-bar.js';
import type { Column } from '../table.js';
import { localTime } from '../work-line-format.js';

interface Options {
  readonly limit: number;
  readonly before?: string;
  readonly after?: string;
  readonly cancel?: boolean;
  readonly force?: boolean;
}

export const batches: QueueCommand<Options> = {
  name: 'queue:batches',
  summary: 'list the batches, newest first; or show one with its jobs, or cancel it',
  examples: [
    '',
    '--limit=20 --json',
    '9f0c2d74-55f1-4b1f-8f0e-0a4c2a3f7d11',
    '9f0c2d74-55f1-4b1f-8f0e-0a4c2a3f7d11 --cancel',
  ],
  configure(command) {
    command
      .argument('[id]', 'one batch, with its jobs')
      .option('--limit <n>', 'at most so many batches, or jobs of one', wholeNumber(1), 50)
      .option('--before <id>', 'batches that were made before this one')
      .option('--after <cursor>', 'with an id: the jobs behind those of another page, which names it')
      .option('--cancel', 'with an id: cancel the batch')
      .option('--force', 'do not ask, also in production');
  },
  async run({ args, options, output, open }) {
    const id = args[0] as string | undefined;
    const { limit, before, after, cancel = false, force } = options;
    const only = id === undefined ? { '--after': after, '--cancel': cancel || undefined } : { '--before': before };
    for (const [flag, given] of Object.entries(only)) {
      if (given === undefined) continue;
      const hint = id === undefined ? 'Name the batch: queue:batches ID' : 'Leave the id out to list batches';
      throw new CommandError(`${flag} does not go ${id === undefined ? 'without' : 'with'} an id.`, hint);
    }
    if (cancel) await confirm(`Cancel the batch ${id}?`, force, CANCELLATION);
    const app = await open();
    if (id === undefined) return list(app, output, { limit, ...(before !== undefined && { before }) });
    if (cancel) return cancelOne(app, output, id);
    return show(app, output, id, { limit, ...(after !== undefined && { after }) });
  },
};

async function list(app: OpenApp, output: Output, query: { limit: number; before?: string }): Promise<void> {
  const { before } = query;
  // A slip of the pen must not read as "no batches".
  if (before !== undefined && !(await answerWithin(app.batches.find(before)))) throw unknown(before);
  const found = await answerWithin(listBatches(app, query), () => app.batches.find(''));
  if (output.options.json) return output.json(found.map(({ batch }) => batch));
  if (found.length === 0) return output.say('No batches found.');
  output.table(columns(output), found);
  if (found.length === query.limit) output.remark(`There may be more: --before=${found.at(-1)!.batch.id}`);
}

async function show(app: OpenApp, output: Output, id: string, query: { limit: number; after?: string }): Promise<void> {
  const found = await answerWithin(inspectBatch(app, id, query), () => app.batches.find(''));
  if (!found) throw unknown(id);
  const { batch, members, next } = found;
  if (output.options.json) {
    const shown = members.map(({ endedAt, ...one }) => ({
      ...one,
      ...(endedAt !== undefined && { endedAt: new Date(endedAt) }),
    }));
    return output.json({ ...batch.toJSON(), state: found.state, members: shown, ...(next !== undefined && { next }) });
  }
  output.table(columns(output), [found]);
  output.line('');
  if (members.length === 0)
    return output.say(query.after === undefined ? 'It has no jobs.' : `It has no jobs behind [${query.after}].`);
  output.table<(typeof members)[number]>(
    [
      { title: 'Job', value: (one) => one.id },
      { title: 'State', value: (one) => one.state },
      {
        title: 'Ended at',
        value: ({ endedAt }) => (endedAt === undefined ? '' : localTime(new Date(endedAt))),
        colour: 'gray',
      },
    ],
    members,
  );
  if (next !== undefined) output.remark(`There are more: --after=${next}`);
}

async function cancelOne(app: OpenApp, output: Output, id: string): Promise<void> {
  const before = await answerWithin(app.batches.find(id));
  if (!before) throw unknown(id);
  if (before.finished() && !before.cancelled()) {
    throw new CommandError(
      `The batch [${id}] has finished: there is nothing to cancel.`,
      `Look at it with queue:batches ${id}`,
    );
  }
  const batch = await answerWithin(cancelBatch(app.batches, id));
  if (!batch) throw unknown(id);
  const did = before.cancelled() ? 'had been cancelled before' : 'cancelled';
  output.result(`Batch [${id}] ${did}.`, batch);
}

function columns(output: Output): readonly Column<ListedBatch>[] {
  return [
    { title: 'Name', value: ({ batch }) => batch.name || '-', atLeast: 10 },
    { title: 'ID', value: ({ batch }) => batch.id },
    { title: 'Progress', value: ({ batch }) => progressBar(output, batch.progress()), colour: 'green' },
    { title: 'Done', value: ({ batch }) => `${batch.processedJobs()}/${batch.totalJobs}` },
    { title: 'Failed', value: ({ batch }) => String(batch.failedJobs), colour: 'red' },
    { title: 'State', value: ({ state }) => state },
    { title: 'Age', value: ({ batch }) => age(Date.now() - batch.createdAt.getTime()), colour: 'gray' },
  ];
}

function unknown(id: string): CommandError {
  return new CommandError(`Unable to find a batch with ID [${id}].`, 'See what there is with queue:batches');
}
