import type { PushEntry, PushResult } from '../../contracts/queue-driver.js';
import { readable, storable } from '../stored-text.js';
import { addJob, isPlain } from './job-args.js';
import { keptBody } from './kept-body.js';
import type { Reply } from './link.js';
import type { QueueKeys } from './queue-keys.js';
import { ScriptCall } from './script-call.js';

export const stored: PushResult = Object.freeze({ stored: true });
export const exists: PushResult = Object.freeze({ stored: false, reason: 'exists' });

/** The arguments of the push script: neighbours that are plain and of one queue are one stretch. */
export function pushCall(entries: readonly PushEntry[], keys: QueueKeys): ScriptCall {
  const now = Date.now();
  const call = new ScriptCall();
  const { args } = call;
  let queue: string | undefined;
  let countAt = -1;
  for (const entry of entries) {
    if (isPlain(entry, now)) {
      if (countAt < 0 || entry.queue !== queue) {
        ({ queue } = entry);
        countAt = args.push('p', call.key(keys.base(queue)), 0) - 1;
      }
      args[countAt] = (args[countAt] as number) + 1;
      args.push(storable(entry.id), keptBody(entry.body, entry.id));
    } else {
      countAt = -1;
      const base = keys.base(entry.queue);
      args.push('s', call.key(base));
      addJob(call, entry, base, keys, now);
    }
  }
  return call;
}

/** What the script answered, for each entry. */
export function pushResults(reply: Reply, count: number): PushResult[] {
  if (reply === 0) return Array.from({ length: count }, () => stored);
  const [codes, ...holders] = reply as readonly string[];
  return Array.from(codes!, (code) => {
    if (code === '0') return stored;
    return code === '1' ? exists : { stored: false, reason: 'locked', by: readable(holders.shift()!) };
  });
}
