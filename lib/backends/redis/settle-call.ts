import type { Effects, ReservedJob, Settlement, SettleResult } from '../../contracts/queue-driver.js';
import { storable } from '../stored-text.js';
import { addEffects } from './effect-args.js';
import { effectsText } from './effects-text.js';
import { leaseOf } from './lease-token.js';
import type { Reply } from './link.js';
import { batchOfAck, isPlainAck } from './member-acks.js';
import type { QueueKeys } from './queue-keys.js';
import type { ScriptCall } from './script-call.js';

/** Plain acks that the script takes in one go. */
const STRETCH = 1_000;

/** Why the script refused a settlement: removed by hand, gone, free, held under another token. */
export type Refusal = 'c' | 'g' | 'f' | 'h';

export const accepted: SettleResult = Object.freeze({ ok: true });
export const leaseLost: SettleResult = Object.freeze({ ok: false, reason: 'lease-lost' });
export const cancelled: SettleResult = Object.freeze({ ok: false, reason: 'cancelled' });

/**
 * Adds settlements in their order: plain acks that are neighbours and of one queue are one stretch, and so are members of one batch that
 * have succeeded. Answers, by the place of their settlements, the effects that are to be applied in other slots.
 */
export function addSettlements(
  call: ScriptCall,
  settlements: readonly Settlement[],
  keys: QueueKeys,
): ReadonlyMap<number, Effects> | undefined {
  const { args } = call;
  let far: Map<number, Effects> | undefined;
  let queue: string | undefined;
  let batch: string | undefined;
  let countAt = -1;
  for (let place = 0; place < settlements.length; place += 1) {
    const one = settlements[place]!;
    const { job } = one;
    const its = batchOfAck(one, keys);
    if (its !== undefined || isPlainAck(one)) {
      if (countAt < 0 || job.queue !== queue || its !== batch || args[countAt] === STRETCH) {
        ({ queue } = job);
        batch = its;
        countAt = args.push(batch === undefined ? 'a' : 'm', call.key(keys.base(queue)), 0) - 1;
        if (batch !== undefined) args.push(call.key(batch));
      }
      args[countAt] = (args[countAt] as number) + 1;
      args.push(leaseOf(job));
    } else {
      countAt = -1;
      const left = addOne(call, one, keys);
      if (left) (far ??= new Map()).set(place, left);
    }
  }
  return far;
}

function addOne(call: ScriptCall, one: Settlement, keys: QueueKeys): Effects | undefined {
  const { args } = call;
  const { job, effects } = one;
  const base = keys.base(job.queue);
  const key = call.key(base);
  if (one.kind === 'ack') args.push('x', key, leaseOf(job));
  else {
    const { delayMs, countAttempt, memo } = one;
    const wait = Math.min(8e15, Math.max(0, Math.ceil(delayMs)));
    const kept = memo === undefined ? '' : `=${memo === '' ? '' : storable(memo)}`;
    args.push('r', key, leaseOf(job), wait, countAttempt === false ? 0 : 1, kept);
  }
  const countAt = args.push(0) - 1;
  if (effects === undefined) return undefined;
  const far = addEffects(call, effects, base, keys, Date.now());
  if (far) args.push('o', effectsText(far));
  args[countAt] = args.length - countAt - 1;
  return far;
}

/** By their places, those that were refused, and the flags of members' ends of which something came. */
export function notesOf(reply: Reply): ReadonlyMap<number, Refusal | number> {
  const notes = new Map<number, Refusal | number>();
  if (!Array.isArray(reply)) return notes;
  for (let at = 0; at < reply.length; at += 2) notes.set(reply[at] as number, reply[at + 1] as Refusal | number);
  return notes;
}

/** The number of a queue's key and the reservation of each, as the script of renewals takes them. */
export function addHeld(call: ScriptCall, jobs: readonly ReservedJob[], keys: QueueKeys): void {
  for (const job of jobs) call.args.push(call.key(keys.base(job.queue)), leaseOf(job));
}
