import type { Settlement } from '../../contracts/queue-driver.js';
import type { QueueKeys } from './queue-keys.js';

export function isPlainAck({ kind, effects }: Settlement): boolean {
  return kind === 'ack' && effects === undefined;
}

/**
 * The key of the batch where a settlement is an ack, and all that follows it is that its job has succeeded as a member: such are counted
 * many at a time. Only where the batch is in the slot of the queue.
 */
export function batchOfAck({ kind, job, effects }: Settlement, keys: QueueKeys): string | undefined {
  const member = effects?.member;
  if (kind !== 'ack' || member === undefined || member.outcome !== 'done' || member.jobId !== job.id) return undefined;
  const { push, unlock, failure } = effects!;
  if (push?.length || unlock?.length || failure || member.alsoEnded?.length) return undefined;
  const batch = keys.batch(member.batchId);
  return keys.together(batch, keys.base(job.queue)) ? batch : undefined;
}

/** Settlements in the order in which a script takes them. */
export interface Arranged {
  readonly settlements: readonly Settlement[];
  /** Where each of them stood; absent where all stand as they did. */
  readonly places?: readonly number[];
  /** All are plain acks, or acks of members that have succeeded. */
  readonly simple: boolean;
}

/** Puts members of one batch together: plain acks come first, then the members batch by batch, then everything else as it stood. */
export function arranged(settlements: readonly Settlement[], keys: QueueKeys): Arranged {
  if (settlements.every(isPlainAck)) return { settlements, simple: true };
  const plain: number[] = [];
  const others: number[] = [];
  const groups = new Map<string, number[]>();
  settlements.forEach((one, place) => {
    const batch = batchOfAck(one, keys);
    if (batch === undefined) (isPlainAck(one) ? plain : others).push(place);
    else {
      const name = `${batch}\n${one.job.queue}`;
      const group = groups.get(name);
      if (group) group.push(place);
      else groups.set(name, [place]);
    }
  });
  const simple = others.length === 0;
  if (groups.size === 0) return { settlements, simple };
  const places = [plain, ...groups.values(), others].flat();
  if (places.every((place, at) => place === at)) return { settlements, simple };
  return { settlements: places.map((place) => settlements[place]!), places, simple };
}

/** What came of them, in the order in which they stood. */
export function asTheyStood<T>(results: readonly T[], { places }: Arranged): readonly T[] {
  if (places === undefined) return results;
  const stood: T[] = [];
  places.forEach((place, at) => (stood[place] = results[at]!));
  return stood;
}
