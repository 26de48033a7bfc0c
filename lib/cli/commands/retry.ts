import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import { CommandError } from '../command-error.js';
import type { OpenApp } from '../open-app.js';
import type { Output } from '../output.js';

interface Options {
  readonly queue?: string;
}

interface Retried {
  readonly retried: number;
  /** Those that there is no failed job of, or that could not be sent. */
  readonly failed: readonly string[];
}

export const retry: QueueCommand<Options> = {
  name: 'queue:retry',
  summary: 'send failed jobs again',
  examples: ['6f1c6c5e-6a3f-4d0b-9a53-0c6f3ab2a1f4', 'all', '--queue=billing'],
  configure(command) {
    command.argument('[id...]', 'ids of failed jobs, or all').option('--queue <name>', 'all failed jobs of this queue');
  },
  async run({ args, options, output, open }) {
    const ids = [...new Set(args[0] as readonly string[])];
    const { queue } = options;
    if (queue !== undefined && ids.length > 0 && ids[0] !== 'all') {
      throw new CommandError('Ids and --queue were both given.', 'Give ids, or a queue to retry all its failed jobs.');
    }
    const app = await open();
    const all = queue !== undefined || ids[0] === 'all';
    const outcome = all ? await retryAll(app, queue) : await retryEach(app, ids, output);
    if (queue !== undefined && outcome.retried === 0) {
      throw new CommandError(
        `Unable to find failed jobs for queue [${queue}].`,
        'See what there is with queue:failed; the default connection names its queues there.',
      );
    }
    if (outcome.retried === 0 && outcome.failed.length === 0) {
      output.result('No retryable jobs found.', { retried: 0, failed: [] });
      return 0;
    }
    if (output.options.json) output.json(outcome);
    else if (outcome.retried > 0) output.say(`Pushed ${jobs(outcome.retried)} back onto the queue.`);
    return outcome.failed.length > 0 ? 1 : 0;
  },
};

async function retryAll(app: OpenApp, queue: string | undefined): Promise<Retried> {
  const retried = await answerWithin(app.failed.retryAll(queue === undefined ? {} : { queue }), () =>
    app.failed.count(),
  );
  return { retried, failed: [] };
}

async function retryEach(app: OpenApp, ids: readonly string[], output: Output): Promise<Retried> {
  const failed: string[] = [];
  for (const id of ids) {
    try {
      if (await answerWithin(app.failed.retry(id))) continue;
      output.error(
        new CommandError(`Unable to find failed job with ID [${id}].`, 'See what there is with queue:failed'),
      );
    } catch (error) {
      output.error(error);
    }
    failed.push(id);
  }
  return { retried: ids.length - failed.length, failed };
}

function jobs(count: number): string {
  return count === 1 ? '1 failed job' : `${count} failed jobs`;
}
