import { start } from './fork.mjs';
import { send } from './senders.mjs';

/** Sends from another process than the worker's; the memory driver, which lives in one process, from this one. */
export function sendFrom({ queue, peer, store, sending }) {
  if (peer.family === 'memory') return send(queue, sending);
  return start({ part: 'producer', peer, store, sending }).result;
}
