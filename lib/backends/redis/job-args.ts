import type { PushEntry } from '../../contracts/queue-driver.js';
import { storable } from '../stored-text.js';
import { isFreshId } from './fresh-id.js';
import { keptBody } from './kept-body.js';
import { lasting } from './lasting.js';
import type { QueueKeys } from './queue-keys.js';
import type { ScriptCall } from './script-call.js';

/** The latest moment that a Date can be, which is as good as never. */
const LONGEST_DELAY_MS = 8e15;
const LONGEST_ONCE_MS = 2 ** 52;

/** Nothing has to be kept of it but its body. */
export function isPlain(entry: PushEntry, now: number): boolean {
  return (
    entry.delayMs <= 0 &&
    (entry.priority ?? 0) === 0 &&
    entry.lock === undefined &&
    entry.once === undefined &&
    isFreshId(entry.id, now)
  );
}

/** A job as `job_at` reads it. The lock is taken with it where its key may be in the same script. */
export function addJob(call: ScriptCall, entry: PushEntry, base: string, keys: QueueKeys, now: number): void {
  const { id, body, delayMs, priority = 0, once, lock } = entry;
  const lockKey = lock && keys.keyspace.lock(lock.key);
  call.args.push(
    storable(id),
    keptBody(body, id),
    Math.min(LONGEST_DELAY_MS, Math.max(0, Math.ceil(delayMs))),
    priority,
    isFreshId(id, now) ? 0 : 1,
    once === undefined ? '' : Math.min(LONGEST_ONCE_MS, Math.ceil(once.ttlMs)),
    lockKey !== undefined && keys.together(lockKey, base) ? call.key(lockKey) : 0,
    lock === undefined ? '' : storable(lock.key),
    lock === undefined ? '' : storable(lock.owner),
    lock === undefined ? '' : lasting(lock.ttlMs),
  );
}
