import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import { CommandError } from '../command-error.js';

export const forget: QueueCommand = {
  name: 'queue:forget',
  summary: 'delete a failed job',
  examples: ['6f1c6c5e-6a3f-4d0b-9a53-0c6f3ab2a1f4'],
  configure(command) {
    command.argument('<id>', 'the id of a failed job');
  },
  async run({ args, output, open }) {
    const id = args[0] as string;
    const app = await open();
    if (!(await answerWithin(app.failed.forget(id)))) {
      throw new CommandError('No failed job matches the given ID.', 'See what there is with queue:failed');
    }
    output.result('Failed job deleted successfully.', { forgotten: id });
  },
};
