import type { Command } from 'commander';
import { parseQueueTarget } from '../connections/queue-name.js';
import type { QueueManager } from '../nest/queue-manager.js';
import { answerWithin } from './answer-within.js';
import type { Invocation } from './command.js';
import { CommandError } from './command-error.js';

export interface PauseOptions {
  readonly all?: boolean;
  readonly connection?: string;
}

/** Pausing and resuming take the same words. */
interface PauseChange {
  readonly paused: boolean;
  readonly word: 'paused' | 'resumed';
  queue(manager: QueueManager, connection: string, queue: string): Promise<void>;
  connection(manager: QueueManager, name: string): Promise<void>;
  all(manager: QueueManager): Promise<void>;
}

export const PAUSE_EXAMPLES: readonly string[] = ['emails', 'redis:emails', '--connection=redis', '--all'];

export function takesQueues(command: Command): void {
  command
    .argument('[queue]', 'connection:queue; a bare name is a queue of the default connection')
    .option('--connection <name>', 'every queue of this connection')
    .option('--all', 'every queue of every connection');
}

export async function changePause(
  { args, options, output, open }: Invocation<PauseOptions>,
  change: PauseChange,
): Promise<void> {
  const [queue] = args as [string | undefined];
  const { all, connection } = options;
  const named = [queue, connection, all || undefined].filter((one) => one !== undefined);
  if (named.length !== 1) {
    const fault =
      named.length === 0 ? 'No queue was named.' : 'More than one of a queue, --connection and --all was given.';
    throw new CommandError(fault, 'Name a queue, such as redis:emails, or give --connection=NAME, or --all.');
  }
  const { manager } = await open();
  const done = (what: string, value: object): void =>
    output.result(`Job processing on ${what} has been ${change.word}.`, { ...value, paused: change.paused });

  if (queue !== undefined) {
    const target = parseQueueTarget(queue, manager.connection().name);
    const on = manager.connection(target.connection);
    await answerWithin(change.queue(manager, on.name, target.queue));
    // By the name it has in the store: what is forwarded is paused where its jobs are.
    const real = on.queueName(target.queue);
    done(`queue [${on.name}:${real}]`, { connection: on.name, queue: real });
    if (change.paused || (await answerWithin(manager.pausedQueues(on.name, [target.queue]))).length === 0) return;
    return output.remark(
      `It stays paused with its connection, or with all: queue:resume --connection=${on.name}, or queue:resume --all.`,
    );
  }
  if (connection !== undefined) {
    const { name } = manager.connection(connection);
    await answerWithin(change.connection(manager, name));
    return done(`all queues of [${name}]`, { connection: name });
  }
  await answerWithin(change.all(manager));
  done('all queues', { all: true });
}
