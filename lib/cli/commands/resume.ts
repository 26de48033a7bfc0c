import { changePause, PAUSE_EXAMPLES, takesQueues, type PauseOptions } from '../change-pause.js';
import type { QueueCommand } from '../command.js';

export const resume: QueueCommand<PauseOptions> = {
  name: 'queue:resume',
  alias: 'queue:continue',
  summary: 'take jobs again from what was paused in the same words',
  examples: PAUSE_EXAMPLES,
  configure: takesQueues,
  run: (invocation) =>
    changePause(invocation, {
      paused: false,
      word: 'resumed',
      queue: (manager, connection, queue) => manager.resume(connection, queue),
      connection: (manager, name) => manager.resumeConnection(name),
      all: (manager) => manager.resumeAll(),
    }),
};
