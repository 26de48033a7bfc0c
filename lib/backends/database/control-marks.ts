import type { PauseTarget } from '../../contracts/control-store.js';

export const RESTART = 'restart';
export const PAUSED_ALL = 'paused';

/** Two names, whatever is in them, and never one of the marks above. */
export function markOf(target: PauseTarget): string {
  return target === 'all' ? PAUSED_ALL : JSON.stringify([target.connection, target.queue]);
}
