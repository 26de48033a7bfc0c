import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import { CommandError } from '../command-error.js';
import type { OpenApp } from '../open-app.js';
import type { Output } from '../output.js';
import { Progress } from '../progress.js';

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
    const everything = ids.length === 1 && ids[0] === 'all';
    if (!everything && ids.includes('all')) {
      throw new CommandError('Ids and all were both given.', 'Give ids, or all to retry every failed job.');
    }
    if (queue !== undefined && ids.length > 0 && !everything) {
      throw new CommandError('Ids and --queue were both given.', 'Give ids, or a queue to retry all its failed jobs.');
    }
    if (queue === undefined && ids.length === 0) {
      output.result('No retryable jobs found.', { retried: 0, failed: [] });
      output.remark('None was named: give ids, or all, or --queue=NAME.');
      return 0;
    }
    const app = await open();
    const all = queue !== undefined || everything;
    const outcome = all ? await retryAll(app, queue, output) : await retryEach(app, ids, output);
    if (queue !== undefined && outcome.retried === 0) {
      throw new CommandError(`Unable to find failed jobs for queue [${queue}].`, 'See what there is with queue:failed');
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

async function retryAll(app: OpenApp, queue: string | undefined, output: Output): Promise<Retried> {
  const progress = new Progress(output);
  try {
    const retrying = app.failed.retryAll(queue === undefined ? {} : { queue }, progress.at);
    return { retried: await answerWithin(retrying, () => app.failed.count()), failed: [] };
  } finally {
    progress.end();
  }
}

async function retryEach(app: OpenApp, ids: readonly string[], output: Output): Promise<Retried> {
  const failed: string[] = [];
  const progress = new Progress(output);
  for (const [at, id] of ids.entries()) {
    progress.at(at, ids.length);
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
  progress.end();
  return { retried: ids.length - failed.length, failed };
}

function jobs(count: number): string {
  return count === 1 ? '1 failed job' : `${count} failed jobs`;
}
