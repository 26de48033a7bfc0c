import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';

interface Options {
  readonly connection?: string;
  readonly queue?: string;
}

export const restart: QueueCommand<Options> = {
  name: 'queue:restart',
  summary: 'tell workers to end after their current jobs, so that they are started anew',
  examples: ['', '--connection=redis', '--connection=redis --queue=emails'],
  configure(command) {
    command
      .option('--connection <name>', 'only workers of this connection')
      .option('--queue <name>', 'only workers that have this queue; without --connection on the default connection');
  },
  async run({ options: { connection, queue }, output, open }) {
    const app = await open();
    const target = { ...(connection !== undefined && { connection }), ...(queue !== undefined && { queue }) };
    await answerWithin(app.manager.restartWorkers(target));
    output.result('Broadcasting queue restart signal.', { restarted: true, ...target });
  },
};
