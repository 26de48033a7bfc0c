import { Option } from 'commander';
import { inspectedJob, type InspectedJob } from '../../connections/inspected-job.js';
import type { JobState, StoredJob } from '../../contracts/queue-driver.js';
import { findStored, inspectStored, JOB_STATES } from '../../operations/inspect-queue.js';
import { age } from '../age.js';
import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import { CommandError } from '../command-error.js';
import { wholeNumber } from '../flags.js';
import type { OpenApp } from '../open-app.js';
import type { Output } from '../output.js';
import { cleanJson } from '../style.js';
import type { Column } from '../table.js';
import { localTime } from '../work-line-format.js';

interface Options {
  readonly queue?: string;
  readonly state?: JobState;
  readonly limit?: number;
  readonly page?: number;
  readonly id?: string;
}

const DEFAULT_LIMIT = 50;

interface Row {
  readonly stored: StoredJob;
  readonly job: InspectedJob;
}

export const inspect: QueueCommand<Options> = {
  name: 'queue:inspect',
  summary: 'page through the jobs of a queue, or show one job whole',
  examples: [
    '',
    'redis --queue=emails --state=delayed --limit=20 --page=2',
    '--id=6f1c6c5e-6a3f-4d0b-9a53-0c6f3ab2a1f4',
  ],
  configure(command) {
    command
      .argument('[connection]', "default: the application's default connection")
      .option('--queue <name>', "default: the connection's own")
      .addOption(
        new Option(
          '--state <state>',
          'jobs that are due, that wait for their time, or that a worker has (default: pending)',
        ).choices(JOB_STATES),
      )
      .option('--limit <n>', `jobs a page (default: ${DEFAULT_LIMIT})`, wholeNumber(1))
      .option('--page <n>', 'which page (default: 1)', wholeNumber(1))
      .option('--id <id>', 'one job with all that it carries, in whichever queue it is');
  },
  async run({ args, options, output, open }) {
    const { id, queue, state = 'pending', limit = DEFAULT_LIMIT, page = 1 } = options;
    if (id !== undefined) {
      const other = (['queue', 'state', 'limit', 'page'] as const).find((one) => options[one] !== undefined);
      if (other !== undefined)
        throw new CommandError(`--${other} does not go with --id.`, 'Leave it out: a job is found in every queue.');
    }
    const app = await open();
    const connection = app.manager.connection(args[0] as string | undefined);
    if (id !== undefined) return showOne(app, output, connection.name, id);

    const name = connection.queueName(queue);
    const query = { connection: connection.name, queue: name, state, limit, page };
    const found = await answerWithin(
      connection.check().then(() => inspectStored(app.connections, query)),
      () => connection.size(name),
    );
    const rows = found.map((stored): Row => ({ stored, job: inspectedJob(stored) }));
    if (output.options.json) return output.json(rows.map(({ job }) => job));
    const where = `in the [${name}] queue of [${connection.name}]`;
    if (rows.length === 0) return output.say(`No ${state} jobs found ${where}${page > 1 ? ` on page ${page}` : ''}.`);
    output.table(columnsFor(state), rows);
    if (rows.length === limit) output.remark(`There may be more: --page=${page + 1}`);
  },
};

async function showOne({ connections, manager }: OpenApp, output: Output, name: string, id: string): Promise<void> {
  const connection = manager.connection(name);
  const stored = await answerWithin(
    connection.check().then(() => findStored(connections, id, name)),
    () => connection.size(),
  );
  if (!stored) {
    throw new CommandError(
      `Unable to find a job with ID [${id}] on the [${name}] connection.`,
      `Jobs that are done or have failed are not in a queue any more: see queue:failed, or name another connection.`,
    );
  }
  const job = inspectedJob(stored);
  if (output.options.json) return output.json(job);
  const told: [title: string, value: string][] = [
    ['ID', job.id],
    ['Job', job.name],
    ['Queue', `${name}:${job.queue}`],
    ['State', stored.state],
    ['Attempts', String(job.attempts)],
    ...(stored.stalls > 0 ? [['Stalls', String(stored.stalls)] as [string, string]] : []),
    ...(stored.priority === 0 ? [] : [['Priority', String(stored.priority)] as [string, string]]),
    ['Created at', job.createdAt ? localTime(job.createdAt) : '-'],
    [TIMES[stored.state], localTime(new Date(momentOf(stored)))],
  ];
  output.fields(told);
  output.line('');
  const body =
    Object.keys(job.payload).length > 0 ? JSON.stringify(job.payload, undefined, 2) : JSON.stringify(stored.body);
  output.line(cleanJson(body));
}

const TIMES: Readonly<Record<JobState, string>> = {
  pending: 'Due since',
  delayed: 'Due at',
  reserved: 'Leased until',
};

function momentOf({ state, availableAt, leasedUntil = availableAt }: StoredJob): number {
  return state === 'reserved' ? leasedUntil : availableAt;
}

function columnsFor(state: JobState): readonly Column<Row>[] {
  return [
    { title: TIMES[state], value: ({ stored }) => localTime(new Date(momentOf(stored))), colour: 'gray' },
    { title: 'ID', value: ({ job }) => job.id },
    { title: 'Job', value: ({ job }) => job.name, atLeast: 12 },
    { title: 'Attempts', value: ({ job }) => String(job.attempts) },
    {
      title: 'Age',
      value: ({ job }) => (job.createdAt ? age(Date.now() - job.createdAt.getTime()) : '-'),
      colour: 'gray',
    },
  ];
}
