import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import { CommandError } from '../command-error.js';
import { wholeNumber } from '../flags.js';

interface Options {
  readonly hours: number;
}

export const pruneFailed: QueueCommand<Options> = {
  name: 'queue:prune-failed',
  summary: 'delete failed jobs that are older than some hours',
  examples: ['', '--hours=48'],
  configure(command) {
    command.option('--hours <n>', 'those that failed more than so many hours ago', wholeNumber(), 24);
  },
  async run({ options, output, open }) {
    const app = await open();
    if (!app.connections.keepsFailed) {
      throw new CommandError(
        'Failed jobs are not kept: the failed driver is null.',
        "Give the module's option failed a driver that keeps them, such as database.",
      );
    }
    const deleted = await answerWithin(app.failed.prune(options.hours), () => app.failed.count());
    output.result(`${deleted} entries deleted.`, { deleted });
  },
};
