import type { FailedJob } from '../../contracts/failed-job-store.js';
import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import { wholeNumber } from '../flags.js';
import type { Column } from '../table.js';
import { localTime } from '../work-line-format.js';

interface Options {
  readonly queue?: string;
  readonly connection?: string;
  readonly limit?: number;
}

const COLUMNS: readonly Column<FailedJob>[] = [
  { title: 'Failed at', value: (job) => localTime(job.failedAt), colour: 'gray' },
  { title: 'ID', value: (job) => job.id },
  { title: 'Queue', value: (job) => `${job.connection}@${job.queue}`, atLeast: 12, colour: 'blue' },
  { title: 'Job', value: (job) => job.displayName || job.name || '(unreadable)', atLeast: 16 },
  { title: 'Error', value: (job) => job.exception.split('\n', 1)[0] ?? '', atLeast: 12, colour: 'red' },
];

export const failed: QueueCommand<Options> = {
  name: 'queue:failed',
  summary: 'list the failed jobs, newest first',
  examples: ['', '--queue=billing --limit=20', '--json'],
  configure(command) {
    command
      .option('--queue <name>', 'only those of this queue')
      .option('--connection <name>', 'only those of this connection')
      .option('--limit <n>', 'at most so many', wholeNumber(1));
  },
  async run({ options, output, open }) {
    const app = await open();
    const { queue, connection, limit } = options;
    // A slip of the pen must not read as "none failed".
    if (connection !== undefined) app.manager.connection(connection);
    const jobs = await answerWithin(app.failed.all({ queue, connection, limit }), () => app.failed.count());
    if (output.options.json) output.json(jobs);
    else if (jobs.length === 0) output.say('No failed jobs found.');
    else output.table(COLUMNS, jobs);
  },
};
