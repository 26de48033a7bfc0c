import { changePause, PAUSE_EXAMPLES, takesQueues, type PauseOptions } from '../change-pause.js';
import type { QueueCommand } from '../command.js';

export const pause: QueueCommand<PauseOptions> = {
  name: 'queue:pause',
  summary: 'take no more jobs from a queue, a connection or all queues; what runs goes on',
  examples: PAUSE_EXAMPLES,
  configure: takesQueues,
  run: (invocation) =>
    changePause(invocation, {
      paused: true,
      word: 'paused',
      queue: (manager, connection, queue) => manager.pause(connection, queue),
      connection: (manager, name) => manager.pauseConnection(name),
      all: (manager) => manager.pauseAll(),
    }),
};
