import { answerWithin } from '../answer-within.js';
import type { QueueCommand } from '../command.js';
import { confirm } from '../confirm.js';
import { names } from '../flags.js';

interface Options {
  readonly queue?: readonly string[];
  readonly force?: boolean;
}

export const clear: QueueCommand<Options> = {
  name: 'queue:clear',
  summary: 'delete all jobs of one or more queues',
  examples: ['', 'database --queue=emails,reports', '--force'],
  configure(command) {
    command
      .argument('[connection]', "default: the application's default connection")
      .option('--queue <names>', "queues by commas; default: the connection's own", names)
      .option('--force', 'do not ask, also in production');
  },
  async run({ args, options, output, open }) {
    const app = await open();
    const connection = app.manager.connection(args[0] as string | undefined);
    const queues = options.queue ?? [connection.defaultQueue];
    await confirm(`Delete the jobs of ${queues.join(', ')} on ${connection.name}?`, options.force);
    const cleared: { connection: string; queue: string; cleared: number | undefined }[] = [];
    for (const queue of queues) {
      const clearing = connection.check().then(() => connection.clear(queue));
      const count = await answerWithin(clearing, () => connection.size(queue));
      cleared.push({ connection: connection.name, queue, cleared: count });
      if (output.options.json) continue;
      output.say(
        count === undefined ? `Cleared the [${queue}] queue` : `Cleared ${jobs(count)} from the [${queue}] queue`,
      );
    }
    if (output.options.json) output.json(cleared);
  },
};

function jobs(count: number): string {
  return count === 1 ? '1 job' : `${count} jobs`;
}
