import type { Effects, PushEntry } from '../../contracts/queue-driver.js';
import { entryFault } from '../entry-fault.js';
import { storable } from '../stored-text.js';
import { failedRecord } from './failed-text.js';
import { addJob } from './job-args.js';
import type { QueueKeys } from './queue-keys.js';
import type { ScriptCall } from './script-call.js';

/**
 * Adds what the settling script can do itself, its keys being in the slot of the settled job; answers what is left, `undefined` for
 * nothing. In the order of the SQL stores: a lock is given back before the follow-ups, which may want it.
 */
export function addEffects(
  call: ScriptCall,
  effects: Effects,
  base: string,
  keys: QueueKeys,
  now: number,
): Effects | undefined {
  const { args } = call;
  const { keyspace } = keys;
  const far: { -readonly [K in keyof Effects]: Effects[K] } = {};
  const near = (key: string): boolean => keys.together(key, base);
  const { member, failure } = effects;
  if (member) {
    const batch = keys.batch(member.batchId);
    if (near(batch)) {
      const also = (member.alsoEnded ?? []).map(storable);
      args.push('m', call.key(batch), storable(member.jobId), member.outcome, also.length, ...also);
    } else far.member = member;
  }
  for (const lock of effects.unlock ?? []) {
    const key = keyspace.lock(lock.key);
    if (near(key)) args.push('u', call.key(key), storable(lock.owner));
    else far.unlock = [...(far.unlock ?? []), lock];
  }
  for (const entry of effects.push ?? []) {
    const queue = keys.base(entry.queue);
    if (near(queue) && lockIsNear(entry, queue, keys)) {
      args.push('p', call.key(queue));
      addJob(call, entry, queue, keys, now);
    } else far.push = [...(far.push ?? []), entry];
  }
  if (failure) {
    const store = keyspace.own('failed');
    const { id, record, failedAt } = failedRecord(failure);
    if (near(store)) args.push('f', call.key(store), id, record, failedAt);
    else far.failure = failure;
  }
  return Object.keys(far).length > 0 ? far : undefined;
}

/** Why these effects cannot be applied: found before anything of their settlement is written. */
export function effectFault(effects: Effects): unknown {
  for (const entry of effects.push ?? []) {
    const fault = entryFault(entry);
    if (fault) return fault;
  }
  try {
    if (effects.failure) failedRecord(effects.failure);
    return undefined;
  } catch (error) {
    return error;
  }
}

function lockIsNear(entry: PushEntry, base: string, keys: QueueKeys): boolean {
  return entry.lock === undefined || keys.together(keys.keyspace.lock(entry.lock.key), base);
}
