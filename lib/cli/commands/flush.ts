import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import { confirm } from '../confirm.js';
import { wholeNumber } from '../flags.js';

interface Options {
  readonly hours?: number;
  readonly force?: boolean;
}

export const flush: QueueCommand<Options> = {
  name: 'queue:flush',
  summary: 'delete all failed jobs, or those older than some hours',
  examples: ['', '--hours=48', '--force'],
  configure(command) {
    command
      .option('--hours <n>', 'only those that failed so many hours ago, or earlier', wholeNumber())
      .option('--force', 'do not ask, also in production');
  },
  async run({ options, output, open }) {
    const { hours, force } = options;
    const ago = hours === undefined ? '' : `${hours} ${hours === 1 ? 'hour' : 'hours'} ago or earlier`;
    const which = hours === undefined ? 'all failed jobs' : `the jobs that failed ${ago}`;
    await confirm(`Delete ${which}?`, force);
    const app = await open();
    const deleted = await answerWithin(app.failed.flush(hours), () => app.failed.count());
    const sentence =
      hours === undefined
        ? 'All failed jobs deleted successfully.'
        : `Deleted ${deleted === 1 ? '1 job' : `${deleted} jobs`} that failed ${ago}.`;
    output.result(sentence, { deleted });
  },
};
