import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';

export const restart: QueueCommand = {
  name: 'queue:restart',
  summary: 'tell all workers to end after their current jobs, so that they are started anew',
  examples: [''],
  async run({ output, open }) {
    const app = await open();
    await answerWithin(app.manager.restartWorkers());
    output.result('Broadcasting queue restart signal.', { restarted: true });
  },
};
