import type { ControlMarks, PauseTarget } from '../../contracts/control-store.js';

const RESTART = 'restart';
const PAUSED_ALL = 'paused';

/** Two names, whatever is in them, and never one of the marks above. */
export function markOf(target: PauseTarget): string {
  return target === 'all' ? PAUSED_ALL : namesOf(target);
}

export function restartMarkOf(target: PauseTarget): string {
  return target === 'all' ? RESTART : `${RESTART}${namesOf(target)}`;
}

function namesOf({ connection, queue }: Exclude<PauseTarget, 'all'>): string {
  return JSON.stringify([connection, queue]);
}

/** The marks that an answer is made of. */
export interface AskedMarks {
  readonly all: readonly string[];
  readonly answer: (values: ReadonlyMap<string, string>) => ControlMarks;
}

/** @param stored the form in which the store keeps a mark's name */
export function marksFor(
  connection: string,
  queues: readonly string[],
  stored: (mark: string) => string = (mark) => mark,
): AskedMarks {
  const targets = queues.map((queue) => ({ connection, queue }));
  const paused = targets.map((target) => stored(markOf(target)));
  const restarts = [RESTART, ...targets.map((target) => stored(restartMarkOf(target)))];
  return {
    all: [PAUSED_ALL, ...restarts, ...paused],
    answer: (values) => {
      const left = restarts.flatMap((mark) => values.get(mark) ?? []);
      return {
        ...(left.length > 0 && { restart: left.join('\n') }),
        allPaused: values.has(PAUSED_ALL),
        paused: queues.filter((_, at) => values.has(paused[at]!)),
      };
    },
  };
}
