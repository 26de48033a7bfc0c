import { pruneBatches as prune } from '../../operations/prune-batches.js';
import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import { wholeNumber } from '../flags.js';

interface Options {
  readonly hours: number;
  readonly unfinished?: number;
  readonly cancelled?: number;
}

export const pruneBatches: QueueCommand<Options> = {
  name: 'queue:prune-batches',
  summary: 'delete what is kept of batches that are over',
  examples: ['', '--hours=48 --unfinished=72 --cancelled=72', '--hours=0'],
  configure(command) {
    command
      .option('--hours <n>', 'those that finished more than so many hours ago; 0 is all of them', wholeNumber(), 24)
      .option('--unfinished <n>', 'also those that were made so long ago and never finished', wholeNumber())
      .option('--cancelled <n>', 'also those that were made so long ago and cancelled', wholeNumber());
  },
  async run({ options, output, open }) {
    const { hours, unfinished, cancelled } = options;
    const app = await open();
    const pruned = await answerWithin(
      prune(app.batches, {
        hours,
        ...(unfinished !== undefined && { unfinished }),
        ...(cancelled !== undefined && { cancelled }),
      }),
      () => app.batches.find(''),
    );
    if (output.options.json) return output.json(pruned);
    output.say(`${pruned.finished} entries deleted.`);
    if (pruned.unfinished !== undefined) output.say(`${pruned.unfinished} unfinished entries deleted.`);
    if (pruned.cancelled !== undefined) output.say(`${pruned.cancelled} cancelled entries deleted.`);
  },
};
