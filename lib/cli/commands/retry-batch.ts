import { BatchMissingError } from '../../bus/batch-filler.js';
import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import { CommandError } from '../command-error.js';
import type { OpenApp } from '../open-app.js';
import type { Output } from '../output.js';
import { Progress } from '../progress.js';

const SEE = 'See what there is with queue:batches';

export const retryBatch: QueueCommand = {
  name: 'queue:retry-batch',
  summary: 'send the failed jobs of a batch again',
  examples: ['9f0c2d74-55f1-4b1f-8f0e-0a4c2a3f7d11'],
  configure(command) {
    command.argument('[id...]', 'ids of batches');
  },
  async run({ args, output, open }) {
    const ids = [...new Set(args[0] as readonly string[])];
    if (ids.length === 0) throw new CommandError('No batch was named.', SEE);
    const app = await open();
    const failed: string[] = [];
    let retried = 0;
    for (const id of ids) {
      try {
        const count = await retryOne(app, id, output);
        retried += count;
        if (!output.options.json) output.say(`Pushed ${jobs(count)} of the batch [${id}] back onto the queue.`);
      } catch (error) {
        output.error(error);
        failed.push(id);
      }
    }
    if (output.options.json) output.json({ retried, failed });
    return failed.length > 0 ? 1 : 0;
  },
};

/** @throws CommandError where there is nothing to retry */
async function retryOne(app: OpenApp, id: string, output: Output): Promise<number> {
  const progress = new Progress(output);
  try {
    const count = await answerWithin(app.failed.retryBatch(id, progress.at), () => app.failed.count());
    if (count > 0) return count;
  } catch (error) {
    if (error instanceof BatchMissingError) throw new CommandError(`Unable to find a batch with ID [${id}].`, SEE);
    throw error;
  } finally {
    progress.end();
  }
  if ((await app.batches.find(id))?.hasFailures()) {
    throw new CommandError(
      `The failed jobs of the batch [${id}] are not recorded any more.`,
      'They were forgotten or pruned. Dispatch them anew.',
    );
  }
  throw new CommandError('The given batch does not contain any failed jobs.', `Look at it with queue:batches ${id}`);
}

function jobs(count: number): string {
  return count === 1 ? '1 failed job' : `${count} failed jobs`;
}
